"""A technique from a file of the user's, named as `PATH.py:Class`."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from bench_lib.errors import BadValue, BenchError, UnknownName, check_path
from bench_lib.techniques.base import Technique

SUFFIX = ".py"
DECLARED = ("name", "family", "paper", "neutral")


def is_plugin(text: str) -> bool:
    """Whether a technique's name is that of a file."""
    return text.endswith(SUFFIX)


def load_plugin(source: str) -> type[Technique]:
    """The technique of a file, given as `PATH.py:Class`; its version becomes a hash of the file's text.

    The file is run as it is read, once for each text. What cannot be found, run or used raises `BenchError`.
    """
    path, _, name = source.rpartition(":")
    if not is_plugin(path) or not name.isidentifier():
        raise BadValue("technique from a file", source, "PATH.py:Class")
    check_path("file of a technique", path)
    if Path(path).exists() and not Path(path).is_file():
        raise BenchError(f"the technique's file {path} is no regular file")
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise BenchError(f"the technique's file {path} cannot be read: {error.strerror}") from error
    return _load(str(Path(path).resolve()), name, text)


@functools.lru_cache(maxsize=64)
def _load(path: str, name: str, text: bytes) -> type[Technique]:
    version = hashlib.sha256(text).hexdigest()[:12]
    module = _run(path, f"stabbench_plugin_{version}")
    classes = {n: c for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == module.__name__}
    if name not in classes:
        raise UnknownName(f"class of {path}", name, classes)
    technique: Any = classes[name]
    check_technique(technique, f"{path}:{name}")
    technique.version, technique.source = version, f"{path}:{name}"
    return cast(type[Technique], technique)


def check_technique(technique: object, where: str) -> None:
    """Raise `BenchError` for what is not a technique, or does not declare what each must."""
    if not (inspect.isclass(technique) and issubclass(technique, Technique)):
        raise BenchError(f"{where} is not a child of bench_lib.techniques.base.Technique")
    missing = [field for field in DECLARED if not hasattr(technique, field)]
    if missing:
        raise BenchError(f"the technique {where} does not declare {', '.join(missing)}; see CONTRIBUTING.md")
    parameters = vars(technique).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise BenchError(f"the technique {where} is not a frozen dataclass: put @dataclass(frozen=True) above it")
    if any(character in technique.name for character in "+:,= "):
        raise BadValue(f"name of the technique {where}", technique.name, "no blank, plus, colon, comma or equals sign")


def _run(path: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BenchError(f"{path} is not a Python file that can be run")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name while it runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise BenchError(f"running {path} raised {type(error).__name__}: {error}") from error
    return module
