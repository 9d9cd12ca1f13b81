"""Rows in the hub's columns become examples, or a message that says which row is wrong and why."""

from __future__ import annotations

from collections.abc import Sequence

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.rows import Row, RowReader
from bench_lib.tasks.task import Task


def parse(task: Task, rows: Sequence[Row], source: str) -> tuple[Example, ...]:
    """The rows of one split as examples; any row that is not as the task says raises `BadData`.

    `source` is a file, or the name of a data set and its split: messages begin with it. Rows are counted from 0.
    """
    if not rows:
        raise BadData(f"{source} is empty; expected at least one row with the columns {', '.join(task.columns)}")
    read, columns, labels = task.format.parse, task.columns, task.labels
    return tuple(read(RowReader(columns, labels, row, source, number)) for number, row in enumerate(rows))
