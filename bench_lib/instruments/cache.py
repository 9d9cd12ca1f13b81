"""The user's cache: a folder for what is made from models, and small values that took long to find."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from bench_lib.core.atomic import replace_file
from bench_lib.core.spec import digest

VARIABLE = "STABBENCH_CACHE"
"""The environment variable that names another folder."""

PACKAGE = Path(__file__).parents[1]


def cache_folder() -> Path:
    """The folder named by the variable, or `stabbench` in the user's folder for caches."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("stabbench"))


def values_folder() -> Path:
    """The folder of the values."""
    return cache_folder() / "found"


def read_value(kind: str, key: object) -> Mapping[str, Any] | None:
    """The value that was kept under a key of JSON values; None where none was, or where it cannot be read."""
    with suppress(OSError, ValueError):
        value = json.loads(_file(kind, key).read_text(encoding="utf-8"))
        if isinstance(value, Mapping):
            return value
    return None


def keep_value(kind: str, key: object, value: Mapping[str, Any]) -> None:
    """Keep a value, unless the folder cannot be written: it is then found again each time."""
    path = _file(kind, key)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(value).encode())


@functools.cache
def code_digest(*places: str) -> str:
    """A digest of files of this package and of all files in folders of it, since what was found depends on its code."""
    roots = [PACKAGE / place for place in places]
    files = sorted(path for root in roots for path in (root, *root.rglob("*")) if path.is_file())
    content = hashlib.sha256()
    for path in files:
        if "__pycache__" not in path.parts:
            held = hashlib.sha256(path.read_bytes()).hexdigest()
            content.update(f"{path.relative_to(PACKAGE).as_posix()} {held}\n".encode())
    return content.hexdigest()[:20]


def _file(kind: str, key: object) -> Path:
    return values_folder() / kind / f"{digest(key)}.json"
