"""A technique from a file of the user's, named as `PATH.py:Class`, or from an installed package."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from bench_lib.core.errors import BadValue, BenchError, UnknownName, check_path, described
from bench_lib.core.registry import load_point
from bench_lib.instruments.global_state import GENERATORS, GlobalState
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.sources import executed, is_own, levels, own_files, version_of
from bench_lib.techniques.interface.technique import Technique

SUFFIX = ".py"
TOLERATED = {"the environment", "the filters of warnings", "the standard streams"}
"""What loading a module may change: it is put back, and nothing said."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A file that was run: its module, the texts of its own files by path, what it imported, and where from."""

    module: ModuleType
    texts: dict[str, bytes]
    helpers: dict[str, ModuleType]
    folders: list[str]
    version: str


_loaded: dict[str, Loaded] = {}
"""What was run of each file last, by its path."""
_active: dict[str, str] = {}
"""The path of the file whose imports in functions find its own helpers: the one that was asked for last."""


def is_plugin(text: str) -> bool:
    """Whether a technique's name is that of a file."""
    return text.endswith(SUFFIX)


def load_plugin(source: str) -> type[Technique]:
    """The technique of a file, given as `PATH.py:Class`; its version becomes a hash of the code.

    That is the file's text, and of the modules of one's own that it imports theirs: installed packages, data that it
    reads and imports whose names are made up in functions are not covered. The file is run as it is read, and again
    when it or such a module changed. What cannot be found, run or used raises `BenchError`; what it changes around it
    is put back, and refused where runs rely on it. Code that ends the process, such as `os._exit`, cannot be refused.
    """
    path, _, name = source.rpartition(":")
    if not is_plugin(path) or not name.isidentifier():
        raise BadValue("technique from a file", source, "PATH.py:Class")
    check_path("file of a technique", path)
    if Path(path).exists() and not Path(path).is_file():
        raise BenchError(f"the technique's file {path} is no regular file")
    text = _read(path)
    path = str(Path(path).resolve())
    loaded = _current(path, text)
    classes = {n: c for n, c in vars(loaded.module).items() if inspect.isclass(c)}
    own = {n: c for n, c in classes.items() if c.__module__ == loaded.module.__name__}
    if name not in own:
        raise UnknownName(f"class of {path}", name, own)
    technique: Any = own[name]
    with undisturbed(f"checking {path}:{name}", loading=False):  # which makes it at each point of its space
        check_technique(technique, f"{path}:{name}")
    technique.version, technique.source = loaded.version, f"{path}:{name}"
    return cast(type[Technique], technique)


def load_entry(point: EntryPoint, where: str) -> Any:
    """The technique of an installed package; its version becomes the declared one, the package's, and a hash of code.

    The code is the module that it is in, with what that imports of the same package.
    """
    with undisturbed(f"loading the {where}"):
        technique = load_point(point, where)
        check_technique(technique, where)
    if "_declared_version" not in vars(technique):
        file = inspect.getsourcefile(technique) or ""
        text = _read(file) if file else b""
        helpers = [Path(other).read_bytes() for other in sorted(own_files(file) - {file})] if file else []
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "no package"
        technique._declared_version = technique.version
        technique.version = f"{technique.version} ({package}, {version_of(text, helpers)})"
    return technique


@contextlib.contextmanager
def undisturbed(what: str, loading: bool = True) -> Iterator[None]:
    """Run code of others without an input, its output on the error stream; `BenchError` where it disturbs runs.

    Modules may seed the global generators as they are loaded, which are put back.
    """
    before, states = GlobalState(), {name: get() for name, (get, _) in GENERATORS.items() if loading}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            sys.stdin = io.StringIO()
            yield
    finally:
        folders = list(sys.path)
        changed = [name for name in before.restore() if name not in TOLERATED]
        sys.path[:] = folders
        for name, state in states.items():
            GENERATORS[name][1](state)
    if changed:
        raise BenchError(f"{what} changes {', '.join(changed)}, on which runs rely; a hook may, and is put right after")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BenchError(f"the technique's file {path} cannot be read: {error.strerror}") from error


def _current(path: str, text: bytes) -> Loaded:
    """The file as it was run last, where no text has changed since, and else as it is run now."""
    last = _loaded.get(path)
    if last is None or last.texts[path] != text or any(not _is_as(file, was) for file, was in last.texts.items()):
        _forget_helpers()
        last = _loaded[path] = _run(path, text)
    elif _active.get("path") != path:
        _forget_helpers()
    _active["path"] = path
    sys.path[:] = [*last.folders, *(folder for folder in sys.path if folder not in last.folders)]
    sys.modules.update(last.helpers)
    return last


def _forget_helpers() -> None:
    """Let what files imported by name be imported anew: it may have changed, or another file's bear the same names."""
    files = {file for loaded in _loaded.values() for file in loaded.texts} - _loaded.keys()
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and vars(module).get("__file__") in files:
            del sys.modules[name]


def _is_as(file: str, text: bytes) -> bool:
    try:
        return Path(file).read_bytes() == text
    except OSError:
        return False


def _run(path: str, text: bytes) -> Loaded:
    name = f"stabbench_plugin_{version_of(path.encode() + text, ())}"
    for before in [module for module in sys.modules if module.partition(".")[0].startswith(name)]:
        del sys.modules[before]
    known, folders = set(sys.modules), list(sys.path)
    importlib.invalidate_caches()
    # For good, since functions import too, later: byte code is told from a text by its time, to the second, and size.
    sys.dont_write_bytecode = True
    with undisturbed(f"running {path}"), executed() as ran:
        module = _module(name, path, text)
    helpers = {n: m for n, m in sys.modules.items() if n not in known and is_own(getattr(m, "__file__", None) or "")}
    helpers.pop(module.__name__, None)
    files = own_files(path, ran)
    texts = {file: text if file == path else Path(file).read_bytes() for file in files}
    version = version_of(text, [other for file, other in texts.items() if file != path])
    added = [folder for folder in sys.path if folder not in folders]
    return Loaded(module, texts, helpers, added, version)


def _module(name: str, path: str, text: bytes) -> ModuleType:
    """The module of a file, run from its text; with relative imports it is in packages made of its folders."""
    folders = list(Path(path).parents)[: levels(text)][::-1]
    names = [".".join(f"{name}_{i}" for i in range(1 + place)) for place in range(len(folders))]
    full = ".".join([*names[-1:], name])
    try:
        for package, folder in zip(names, folders, strict=True):
            _execute(package, folder / "__init__.py", [str(folder)])
        return _execute(full, Path(path), None, text)
    except BaseException as error:
        for module in [m for m in sys.modules if m.partition(".")[0].startswith(name)]:
            del sys.modules[module]
        if type(error) is KeyboardInterrupt:
            raise
        if isinstance(error, BenchError):
            raise BenchError(str(error) if path in str(error) else f"running {path}: {error}") from error
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        beside = absent is not None and Path(path).with_name(f"{absent}.py").is_file()
        hint = f"; {absent}.py lies beside it, in a folder that is not on Python's path" if beside else ""
        raise BenchError(f"running {path} raised {described(error)}{hint}") from error


def _execute(name: str, file: Path, folders: list[str] | None, text: bytes | None = None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folders)
    if spec is None:
        raise BenchError(f"{file} is not a Python file that can be run")
    # Dataclasses look their module up by name while it runs.
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    if text is None:
        text = file.read_bytes() if file.is_file() else b""
    # Not by its loader, which takes byte code for the file's that has the same time, to the second, and size.
    exec(compile(text, str(file), "exec", dont_inherit=True), vars(module))
    return module
