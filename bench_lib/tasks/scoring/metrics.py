"""The metrics of every task, as fractions (correlations run from -1 to 1); each format brings its own.

scikit-learn and seqeval take 100 MB of a worker's memory, so only the metrics that need them import them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench_lib.core.errors import UnknownName, require
from bench_lib.tasks.formats.base import Format, Metric
from bench_lib.tasks.task import Task


def score(task: Task, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
    """The task's metrics by name, the primary one first.

    A prediction is a class, a set of labels, a number, a tag index for each word, or the text of an answer, depending
    on the format; references are those of the examples. Different numbers of them raise `BadValue`.
    """
    require(len(references) > 0, "number of references", len(references), "1 or more")
    require(len(predictions) == len(references), "number of predictions", len(predictions), f"{len(references)}")
    return {name: metric(task.format, name)(task.labels, predictions, references) for name in task.metrics}


def metric(task_format: Format, name: str) -> Metric:
    """The function that computes a metric for tasks of one format; an unknown one raises `UnknownName`."""
    if name not in task_format.metrics:
        raise UnknownName(f"metric of {task_format} tasks", name, task_format.metrics)
    return task_format.metrics[name]
