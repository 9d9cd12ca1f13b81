"""The constant baseline: the score at or below which a run has collapsed."""

from __future__ import annotations

from collections.abc import Sequence

from bench_lib.core.errors import require
from bench_lib.tasks.formats.base import Example, Room
from bench_lib.tasks.task import Task


def room(task: Task, evaluation: Sequence[Example]) -> Room:
    """The range of scores of an evaluation set, in the primary metric."""
    require(len(evaluation) > 0, "number of evaluation examples", len(evaluation), "1 or more")
    return task.format.room(task.primary, task.labels, evaluation)


def constant_baseline(task: Task, evaluation: Sequence[Example]) -> float:
    """The best primary metric of a constant predictor on these examples.

    Classes: the best constant class. Sets of labels: the best constant set. Numbers: 0, since a constant correlates
    with nothing. Tags: all `O`, which finds no entity, so 0. Spans: the best position for all contexts, which begins at
    white-space word 0 to 4 and is 1 to 4 words long. Texts: the best of some references for all prompts, or each
    prompt's input copied.
    """
    require(len(evaluation) > 0, "number of evaluation examples", len(evaluation), "1 or more")
    return task.format.constant_score(task.primary, task.labels, evaluation)
