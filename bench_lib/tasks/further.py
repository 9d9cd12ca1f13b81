"""Further evaluation of a trained model: data that it is evaluated on once more, beside its task's evaluation set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench_lib.tasks.formats.base import Example, Format
from bench_lib.tasks.formats.rows import Row

FORGETTING = "forgetting"
"""The name of the measure on general text among a run's scores and further data."""
ParsedRows = Sequence[tuple[Row, Example]]


class Item(NamedTuple):
    """An example with its place in the set: items of a group are judged together, and groups of a stratum averaged.

    `original` says that the others of its group are made from it; `expected` is what a right answer is judged by.
    """

    stratum: str
    group: str
    original: bool
    expected: Any
    example: Example


class FurtherSet(ABC):
    """A set for further evaluation: which tasks it is for, its files, how they are read, and what is scored.

    `files` are its parts, each a file `<folder>/<name>/<part>`. `leaks` are parts whose texts stand in the training
    data of its tasks. `columns` are those of the format.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]]
    files: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[str, ...]]
    licence: ClassVar[str]
    citation: ClassVar[str]
    leaks: ClassVar[tuple[str, ...]] = ()

    def rows(self, part: str, rows: Sequence[Row]) -> list[Row]:
        """The rows of a part that are evaluated, with targets that the task's format can read."""
        return list(rows)

    @abstractmethod
    def items(self, part: str, rows: ParsedRows) -> Iterator[Item]:
        """The items of a part."""

    @abstractmethod
    def scores(
        self, task_format: Format, items: Sequence[Item], answers: Sequence[Any], values: NDArray[np.floating]
    ) -> Mapping[str, float]:
        """The scores by name, from the answer to each item, and from the stored values of predictions, (items, ...)."""


@dataclass(frozen=True, eq=False)
class FurtherData:
    """The items of a set, their fingerprint by value, and the inputs among them that training data may hold."""

    set: FurtherSet
    fingerprint: str
    items: tuple[Item, ...]
    leaked: frozenset[str]


@dataclass(frozen=True, eq=False)
class GeneralText:
    """Texts on which a model is measured for what it forgets, with their fingerprint by value."""

    fingerprint: str
    texts: tuple[str, ...]


def plain(text: str) -> str:
    """The letters and digits of a text alone, so that copies with other markup or spaces are found."""
    return "".join(c for c in text.replace("<br />", " ").casefold() if c.isalnum())
