"""Choices from an explicit generator, and the interface of generated items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

T = TypeVar("T")
Row = dict[str, Any]


class Draw:
    """Choices by scaling uniform numbers, so that a generator gives the same choices on any machine."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(self._rng.random() * count)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def chance(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options in random order, or all if there are fewer."""
        rest = list(options)
        for place in range(min(count, len(rest))):
            other = place + self.below(len(rest) - place)
            rest[place], rest[other] = rest[other], rest[place]
        return rest[:count]


class Item(Protocol):
    """A generated example with its clean label, in `units` parts that can be mislabelled one by one."""

    @property
    def key(self) -> str:
        """The text: two items of the same text are duplicates."""

    @property
    def units(self) -> int: ...

    def corrupt(self, unit: int, draw: Draw) -> Item:
        """The same item with a wrong label at that unit."""

    def row(self) -> Row:
        """The item in the hub's columns."""
