"""The runtime environment of the processes on a Ray cluster: a file of JSON or YAML in Ray's own terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ray.runtime_env import RuntimeEnv

from bench_lib.core.errors import BadValue, BenchError, UnknownName, described, shortened

_CHARACTERS = 500


def read_runtime_env(path: str) -> dict[str, Any]:
    """The fields of a runtime environment; raises `BenchError` for a file that holds none."""
    what = "--runtime-env"
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BenchError(f"{what} {path} cannot be read: {shortened(described(error), _CHARACTERS)}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        allowed = "a file of JSON or YAML with fields such as env_vars, pip, working_dir and py_modules"
        raise BadValue(what, path, allowed)
    for name in found:
        if name not in RuntimeEnv.known_fields:
            raise UnknownName(f"field in {what} {path}", name, sorted(RuntimeEnv.known_fields))
    try:
        return dict(RuntimeEnv(**found))
    except (TypeError, ValueError) as error:
        raise BenchError(f"{what} {path}: {shortened(described(error), _CHARACTERS)}") from error
