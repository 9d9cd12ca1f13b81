"""A named collection that refuses duplicates and answers an unknown name with the nearest ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from bench_lib.errors import BenchError, UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """Named entries of one kind, in the order in which they were added."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Add an entry; a name that is taken raises `BenchError`."""
        if name in self._entries:
            raise BenchError(f"{self.kind} {name!r} is registered already")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """The entry of that name; an unknown one raises `UnknownName` with the nearest names."""
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)
