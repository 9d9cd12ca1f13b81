"""Parsing of rows into examples, with messages that name the wrong row and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    how = task.mends_tags, replace(task.writing, language=task.writing.language or task.language), task.reading
    found = [read(RowReader(columns, labels, row, source, number, *how)) for number, row in enumerate(rows)]
    examples = tuple(example for example in found if example is not None)
    if not examples:
        raise BadData(f"{source} has no row with an input; expected at least one")
    return examples
