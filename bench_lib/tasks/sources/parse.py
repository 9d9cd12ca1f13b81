"""Parsing of rows into examples, with messages that name the wrong row and the reason."""

from __future__ import annotations

from collections.abc import Sequence

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.rows import Row, RowReader
from bench_lib.tasks.task import Task


def parse(task: Task, rows: Sequence[Row], source: str) -> tuple[Example, ...]:
    """The rows of one split as examples; a row that does not fit the task raises `BadData`.

    Messages begin with `source`, a file or a data set and its split, and count rows from 0.
    """
    if not rows:
        raise BadData(f"{source} is empty; expected at least one row with the columns {', '.join(task.columns)}")
    read, columns, labels = task.format.parse, task.columns, task.labels
    mends = task.mends_tags
    return tuple(read(RowReader(columns, labels, row, source, number, mends)) for number, row in enumerate(rows))
