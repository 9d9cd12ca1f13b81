"""What a column of the leaderboard is: its name, how it reads, and which tables show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bench_lib.report import values
from bench_lib.report.cells import Cell
from bench_lib.report.values import Format, Row, Value


class View(StrEnum):
    """The tables that show columns; the CSV and Parquet files hold all of them."""

    MARKDOWN = "the leaderboard as Markdown"
    PAGE = "all cells on the page"
    TASK = "a task on the page"
    TECHNIQUE = "a technique on the page"
    USE = "what models are worth in use"
    RECOMMEND = "stabbench recommend"
    SIDES = "each of two techniques in stabbench compare"
    CONTRAST = "one technique against the other in stabbench compare"


Compute = Callable[[Cell, Row], object]
"""What a column says of a cell, from its runs and from what was measured of it already."""


@dataclass(frozen=True)
class Column:
    """A column: its name in the files, its title and meaning for people, and how its values read.

    Without `compute` it holds the measure of its name that `report.analysis` gives. An interval at 95 % stands beside
    the value in the tables of `bounded_in`. `rank` is the place in the default order, which puts the smallest first.
    """

    name: str
    title: str
    meaning: str
    format: Format
    compute: Compute | None = None
    shown_in: frozenset[View] = frozenset()
    bounded_in: frozenset[View] = frozenset()
    rank: int = 0

    def head(self, view: View) -> str:
        """The title in a table, with what the brackets hold."""
        return f"{self.title} [95 %]" if view in self.bounded_in else self.title

    def value(self, row: Row, view: View) -> Value:
        """What stands in a table for a cell."""
        whole = self.format(row)
        return whole if view in self.bounded_in else dataclasses.replace(whole, interval="")


def name(name: str, meaning: str) -> Column:
    """A text that the files alone hold."""
    return Column(name, name, meaning, values.text(name))


def count(name: str, meaning: str) -> Column:
    """A whole number that the files alone hold."""
    return Column(name, name, meaning, values.number(name, 0))


def share(name: str, meaning: str) -> Column:
    """A fraction that the files alone hold."""
    return Column(name, name, meaning, values.percent(name))


def number(name: str, meaning: str) -> Column:
    """A number that the files alone hold."""
    return Column(name, name, meaning, values.number(name))


def in_use(name: str, title: str, meaning: str, shown: Format) -> Column:
    """A measure of what models are worth in use."""
    return Column(name, title, meaning, shown, shown_in=frozenset({View.USE}))
