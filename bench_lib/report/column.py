"""Leaderboard columns: name, format, and the tables that show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bench_lib.report import values
from bench_lib.report.cells import Cell
from bench_lib.report.values import Format, Row, Value


class View(StrEnum):
    """The tables that show columns; the CSV and Parquet files have all of them."""

    MARKDOWN = "the leaderboard as Markdown"
    PAGE = "all cells on the page"
    TASK = "a task on the page"
    TECHNIQUE = "a technique on the page"
    EFFICIENCY = "efficiency, compression and robustness of the models of a task"
    RECOMMEND = "stabbench recommend"
    SIDES = "each of two techniques in stabbench compare"
    CONTRAST = "one technique against the other in stabbench compare"


Compute = Callable[[Cell, Row], object]
"""Computes a column from the runs of a cell and its other columns."""


@dataclass(frozen=True)
class Column:
    """A column: its name in files, its title and meaning for readers, and its format.

    Without `compute` it is the measure of the same name from `report.analysis`. The tables of `interval_in` show the
    95 % interval. `rank` is the position in the default sort order, which is ascending.
    """

    name: str
    title: str
    meaning: str
    format: Format
    compute: Compute | None = None
    shown_in: frozenset[View] = frozenset()
    interval_in: frozenset[View] = frozenset()
    rank: int = 0

    def head(self, view: View) -> str:
        """The table heading, with the level of the interval."""
        return f"{self.title} [95 %]" if view in self.interval_in else self.title

    def value(self, row: Row, view: View) -> Value:
        """The formatted value of a cell in a table."""
        whole = self.format(row)
        return whole if view in self.interval_in else dataclasses.replace(whole, interval="")


def name(name: str, meaning: str) -> Column:
    """A text column of the files only."""
    return Column(name, name, meaning, values.text(name))


def count(name: str, meaning: str) -> Column:
    """An integer column of the files only."""
    return Column(name, name, meaning, values.number(name, 0))


def share(name: str, meaning: str) -> Column:
    """A fraction column of the files only."""
    return Column(name, name, meaning, values.percent(name))


def number(name: str, meaning: str) -> Column:
    """A number column of the files only."""
    return Column(name, name, meaning, values.number(name))


def cost(name: str, title: str, meaning: str, *more: View) -> Column:
    """A cost over the baseline's, shown beside verdicts."""
    views = frozenset({View.MARKDOWN, View.PAGE, View.TECHNIQUE, View.CONTRAST, *more})
    return Column(name, title, meaning, values.number(name), shown_in=views)


def efficiency(name: str, title: str, meaning: str, shown: Format) -> Column:
    """An efficiency, compression or robustness metric."""
    return Column(name, title, meaning, shown, shown_in=frozenset({View.EFFICIENCY}))
