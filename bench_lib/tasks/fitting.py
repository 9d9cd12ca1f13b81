"""Checks that columns, labels and metrics of a task fit each other and its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench_lib.core.errors import require
from bench_lib.tasks.formats.base import Format
from bench_lib.tasks.formats.reading import A_TEXT_A_COLUMN, Reading


def check_columns(task_format: Format, columns: Sequence[str], task: str, reading: Reading = A_TEXT_A_COLUMN) -> None:
    """Raise `BadValue` for duplicate columns, another number than the format has, or a reading that does not fit."""
    least, most = task_format.columns
    if reading != A_TEXT_A_COLUMN:
        require(task_format.reads_templates, f"reading of task {task} ({task_format})", reading, "nothing")
        reading.check(columns[:-1], task)
        most = len(columns)
    allowed = f"{least} different ones" if least == most else f"{least} to {most} different ones"
    fits = least <= len(columns) <= most and len(set(columns)) == len(columns)
    require(fits, f"columns of task {task} ({task_format})", tuple(columns), allowed)


def check_labels(task_format: Format, labels: Sequence[str], task: str) -> None:
    """Raise `BadValue` for labels that a task of the format cannot have."""
    what = f"labels of task {task} ({task_format})"
    twice = [label for label, count in Counter(labels).items() if count > 1]
    require(not twice, what, tuple(twice), "each label once")
    task_format.check_labels(labels, what)


def check_metrics(task_format: Format, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
    """Raise `BenchError` for a metric that the format does not have, or that does not fit the labels."""
    require(len(metrics) == len(set(metrics)) > 0, f"metrics of task {task}", tuple(metrics), "at least one, each once")
    task_format.check_metrics(metrics, labels, task)
