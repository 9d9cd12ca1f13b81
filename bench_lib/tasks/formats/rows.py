"""Reading one row of a data set, with messages that name the row and the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats.reading import A_TEXT_A_COLUMN, Reading
from bench_lib.tasks.formats.writing import PLAIN, Writing

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RowReader:
    """A row, the columns and labels of its task, and for messages its source and its number from 0.

    `mends_tags`, `writing` and `reading` are the task's; `writing` always has a language.
    """

    columns: Sequence[str]
    labels: Sequence[str]
    row: Row
    source: str
    number: int
    mends_tags: bool = False
    writing: Writing = PLAIN
    reading: Reading = A_TEXT_A_COLUMN

    def wrong(self, what: str, value: object, expected: str) -> BadData:
        """The error for a value of the row."""
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return BadData(f"{self.source}, row {self.number} (the first is 0): {what} is {shown}; expected {expected}")

    def get(self, column: str) -> Any:
        """The value of a column; as with the other readers, a missing column raises `BadData`."""
        if column not in self.row:
            raise BadData(
                f"{self.source}, row {self.number} (the first is 0): column {column!r} is missing; "
                f"there are {', '.join(self.row) or 'none'}; expected {', '.join(self.columns)}"
            )
        return self.row[column]

    def text(self, column: str) -> str:
        """The text of a column."""
        value = self.get(column)
        if not isinstance(value, str):
            raise self.wrong(column, value, "text")
        return value

    def items(self, column: str) -> Sequence[Any]:
        """The list of a column."""
        value = self.get(column)
        if not isinstance(value, (list, tuple)):
            raise self.wrong(column, value, "a list")
        return value
