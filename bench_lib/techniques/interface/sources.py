"""The user's files that a technique's code consists of: those that run when it is loaded, and those it imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bench_lib

INSTALLED = tuple(
    {
        str(Path(folder).resolve())
        for folder in (*sysconfig.get_paths().values(), *site.getsitepackages(), *bench_lib.__path__)
        if folder not in (sys.prefix, sys.base_prefix)
    }
)
"""Folders of the interpreter, installed packages and this package; their versions are in the provenance."""
_recorded: list[set[str]] = []


def is_own(file: str) -> bool:
    """Whether a file belongs to the user: not to the interpreter, an installed package or this one."""
    path = Path(file)
    if not path.is_absolute() or not path.is_file():
        return False
    path = path.resolve()
    parts = {"site-packages", "dist-packages"} & set(path.parts)
    return not parts and not any(path.is_relative_to(folder) for folder in INSTALLED)


@contextmanager
def executed() -> Iterator[set[str]]:
    """The files whose code runs within the context."""
    _listen()
    files: set[str] = set()
    _recorded.append(files)
    try:
        yield files
    finally:
        _recorded.remove(files)


@functools.cache
def _listen() -> None:
    sys.addaudithook(_record)  # for good: Python knows no way to take one out


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if not _recorded:
        return
    file: object = getattr(arguments[0], "co_filename", None) if event == "exec" else None
    if event == "import":
        file = arguments[1]
    if isinstance(file, str):
        for files in _recorded:
            files.add(file)


def own_files(first: str, ran: Iterable[str] = ()) -> frozenset[str]:
    """The first file, the user's files that ran, and all user's files that these import in turn.

    Imports in functions count; imports by computed names and data files do not.
    """
    found: set[str] = set()
    waiting = [first, *(str(Path(file).resolve()) for file in ran if is_own(file))]
    while waiting:
        file = str(Path(waiting.pop()).resolve())
        if file not in found:
            found.add(file)
            waiting += [other for other in _imported(Path(file)) if is_own(other)]
    return frozenset(found)


def version_of(text: bytes, helpers: Iterable[bytes]) -> str:
    """The first digits of a hash of a file's text and the texts of its imports, wherever these lie."""
    digests = sorted(hashlib.sha256(helper).digest() for helper in helpers)
    return hashlib.sha256(b"\0".join([text, *digests])).hexdigest()[:12]


def levels(text: bytes) -> int:
    """The most packages that a file's relative imports go up; 0 without any."""
    return max((node.level for node in _nodes(text) if isinstance(node, ast.ImportFrom)), default=0)


def _nodes(text: bytes) -> Iterator[ast.AST]:
    try:
        return ast.walk(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return iter(())  # running it will raise the error


def _imported(file: Path) -> Iterator[str]:
    if file.suffix != ".py":
        return
    for node in _nodes(file.read_bytes()):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _located(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.level:
            folder = file.parents[node.level - 1] if node.level <= len(file.parents) else file.parent
            for part in ("", *(alias.name for alias in node.names)):
                yield from _beside(folder, ".".join(filter(None, (node.module, part))))
        elif isinstance(node, ast.ImportFrom):
            for full in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                yield from _located(str(full))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield from _located(argument.value)


def _located(name: str) -> Iterator[str]:
    """The files of a module and its packages, found without running them."""
    folders: Any = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        full = ".".join(parts[:end])
        try:
            spec = importlib.machinery.PathFinder.find_spec(full, folders)
        except Exception:
            return
        if spec is None:
            return
        if spec.origin:
            yield spec.origin
        folders = spec.submodule_search_locations
        if folders is None:
            return


def _beside(folder: Path, name: str) -> Iterator[str]:
    """The files of a module named relative to a folder."""
    yield str(folder / "__init__.py")
    place = folder
    for part in filter(None, name.split(".")):
        place = place / part
        yield str(place.with_suffix(".py"))
        yield str(place / "__init__.py")
