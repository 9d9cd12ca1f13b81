"""One row of a data set, read with messages that say which row is wrong and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_lib.core.errors import BadData

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RowReader:
    """One row with what a message about it needs: the task's columns and labels, its source, and its number from 0."""

    columns: Sequence[str]
    labels: Sequence[str]
    row: Row
    source: str
    number: int

    def wrong(self, what: str, value: object, expected: str) -> BadData:
        """The error that says what is wrong with the row."""
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return BadData(f"{self.source}, row {self.number} (the first is 0): {what} is {shown}; expected {expected}")

    def get(self, column: str) -> Any:
        """A column's value; one that is missing raises `BadData`, as all of these do."""
        if column not in self.row:
            raise BadData(
                f"{self.source}, row {self.number} (the first is 0): column {column!r} is missing; "
                f"there are {', '.join(self.row) or 'none'}; expected {', '.join(self.columns)}"
            )
        return self.row[column]

    def text(self, column: str) -> str:
        """A column that holds text."""
        value = self.get(column)
        if not isinstance(value, str):
            raise self.wrong(column, value, "text")
        return value

    def items(self, column: str) -> Sequence[Any]:
        """A column that holds a list."""
        value = self.get(column)
        if not isinstance(value, (list, tuple)):
            raise self.wrong(column, value, "a list")
        return value
