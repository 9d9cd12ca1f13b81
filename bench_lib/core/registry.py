"""A named collection that refuses duplicates and answers an unknown name with the nearest ones."""

from __future__ import annotations

import functools
import importlib.util
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from bench_lib.core.errors import BadValue, BenchError, UnknownName, described

T = TypeVar("T")


NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
LONGEST = 100


def check_entry_name(kind: str, name: object, where: str) -> None:
    """Raise `BadValue` for a name that cannot be a word of a command, a folder, or a part of a stack."""
    if not (isinstance(name, str) and len(name) <= LONGEST and NAME.fullmatch(name)):
        allowed = (
            f"letters a to z, digits, '_', '-' and '.', which begin with neither of the last two, {LONGEST} at most"
        )
        raise BadValue(f"name of the {kind} {where}", name, allowed)


def _accept(_entry: object, _where: str) -> None:
    """Accept any entry."""


def load_point(point: EntryPoint, where: str) -> Any:
    """The object of an entry point; anything that its code raises, `sys.exit` included, becomes a `BenchError`."""
    try:
        return point.load()
    except BaseException as error:
        if type(error) is KeyboardInterrupt:
            raise
        why = str(error) if isinstance(error, BenchError) else described(error)
        raise BenchError(f"the {where} cannot be loaded: {why}; repair or uninstall it") from error


class Registry(Generic[T]):
    """Named entries of one kind: those of scanned packages, added ones, then those of installed packages.

    A package offers an entry in the registry's `group` of entry points; `load` imports it when it is first used, and
    `check` raises for a wrong one.
    """

    def __init__(
        self,
        kind: str,
        group: str = "",
        check: Callable[[object, str], None] = _accept,
        load: Callable[[EntryPoint, str], Any] = load_point,
    ) -> None:
        self.kind = kind
        self.group = group
        self.check = check
        self.load = load
        self._entries: dict[str, T] = {}
        self._files: dict[str, tuple[str, Callable[[ModuleType], Sequence[T]]]] = {}

    def scan(self, package: str, defined_in: Callable[[ModuleType], Sequence[T]], first: Sequence[str] = ()) -> None:
        """Offer one entry for each module of a package, under the module's name: those named `first`, then by name.

        A module is imported when its entry is asked for. `defined_in` lists the entries of a module; unless it is one
        entry with the module's name, `get` raises `BenchError`.
        """
        spec = importlib.util.find_spec(package)
        modules = {module.name for module in pkgutil.iter_modules(spec.submodule_search_locations if spec else None)}
        for name in (*first, *sorted(modules - {*first})):
            self._free(name)
            self._files[name] = (f"{package}.{name}", defined_in)

    def add(self, name: str, entry: T) -> T:
        """Add an entry; a name that is taken or invalid raises `BenchError`."""
        check_entry_name(self.kind, name, repr(name)[:LONGEST])
        self._free(name)
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry of that name; an unknown one raises `UnknownName` with the nearest names."""
        if name in self._entries:
            return self._entries[name]
        if name in self._files:
            return self._entries.setdefault(name, self._import(name))
        if name not in self._offered():
            raise UnknownName(self.kind, name, self.names())
        return self._load(name)

    def names(self) -> tuple[str, ...]:
        return (*self._own(), *self._offered())

    def own(self) -> tuple[str, ...]:
        """The names of this package's entries."""
        return tuple(self._own())

    def of_packages(self) -> tuple[str, ...]:
        """The names of the entries that installed packages offer."""
        return tuple(self._offered())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[T]:
        return (self.get(name) for name in self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _own(self) -> dict[str, object]:
        """The names of this package's entries, in their order, whether imported or not."""
        return {**self._files, **self._entries}

    def _free(self, name: str) -> None:
        if name in self._own():
            raise BenchError(f"{self.kind} {name!r} is registered already")

    def _offered(self) -> dict[str, EntryPoint]:
        """The entry points of installed packages by name; a name that is taken or offered twice raises."""
        own, offered = self._own(), dict[str, EntryPoint]()
        for point in _points(self.group) if self.group else ():
            check_entry_name(self.kind, point.name, f"that {_from(point)} offers")
            if point.name in own or point.name in offered:
                taken = "this package has one" if point.name in own else f"{_from(offered[point.name])} too"
                raise BenchError(f"{_from(point)} offers the {self.kind} {point.name!r}, and {taken}; uninstall one")
            offered[point.name] = point
        return offered

    def _import(self, name: str) -> T:
        path, defined_in = self._files[name]
        module = importlib.import_module(path)
        entries = defined_in(module)
        names = [str(getattr(entry, "name", None)) for entry in entries]
        if names != [name]:
            found = ", ".join(map(repr, names)) or "none"
            raise BenchError(f"{module.__file__} must define one {self.kind}, named {name!r}; it defines {found}")
        return entries[0]

    def _load(self, name: str) -> T:
        point = self._offered()[name]
        where = f"{name!r} of {_from(point)}"
        entry: Any = self.load(point, f"{self.kind} {where}")
        self.check(entry, where)
        if getattr(entry, "name", name) != name:
            raise BenchError(f"the {self.kind} {where} calls itself {entry.name!r}; the two names must be the same")
        # An entry of an installed package has no static type: `check` has made sure of it.
        return cast(T, entry)


@functools.cache
def _points(group: str) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda point: point.name))


def _from(point: EntryPoint) -> str:
    return f"the installed package {point.dist.name}" if point.dist else "an installed package"
