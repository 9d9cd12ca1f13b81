"""The metrics of every task, as fractions (the Matthews correlation runs from -1 to 1).

scikit-learn and seqeval take 100 MB of a worker's memory, so only the metrics that need them import them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from bench_lib.core.errors import UnknownName, require
from bench_lib.core.examples import Example, Kind, SpanExample, TagExample
from bench_lib.tasks.scoring.squad_metrics import answer_f1, exact_match
from bench_lib.tasks.task import Task

Reference = int | tuple[int, ...] | tuple[str, ...]
Metric = Callable[[Task, Sequence[Any], Sequence[Any]], float]


def score(task: Task, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
    """The task's metrics by name, the primary one first.

    A prediction is a class, a tag index for each word, or the text of an answer, as the task's kind says; a reference
    is what `reference` gives. Lengths that differ raise `BadValue`.
    """
    require(len(references) > 0, "number of references", len(references), "1 or more")
    require(len(predictions) == len(references), "number of predictions", len(predictions), f"{len(references)}")
    return {name: metric(task.kind, name)(task, predictions, references) for name in task.metrics}


def metric(kind: Kind, name: str) -> Metric:
    """The function that computes a metric for tasks of one kind; an unknown one raises `UnknownName`."""
    if name not in _METRICS[kind]:
        raise UnknownName(f"metric of {kind} tasks", name, _METRICS[kind])
    return _METRICS[kind][name]


def reference(example: Example) -> Reference:
    """What the predictions for an example are held against: its class, its tags, or its answers."""
    if isinstance(example, SpanExample):
        return example.answers
    return example.tags if isinstance(example, TagExample) else example.label


def _accuracy(task: Task, predictions: Sequence[int], references: Sequence[int]) -> float:
    return fmean(guess == true for guess, true in zip(predictions, references, strict=True))


def _binary_f1(task: Task, predictions: Sequence[int], references: Sequence[int]) -> float:
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, zero_division=0))


def _mcc(task: Task, predictions: Sequence[int], references: Sequence[int]) -> float:
    # Undefined where either side is constant: 0 by convention, which scikit-learn reaches only with a warning.
    if len(set(predictions)) == 1 or len(set(references)) == 1:
        return 0.0
    import sklearn.metrics

    return float(sklearn.metrics.matthews_corrcoef(references, predictions))


def _entity_f1(task: Task, predictions: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> float:
    for number, (guess, tags) in enumerate(zip(predictions, references, strict=True)):
        require(len(guess) == len(tags), f"number of tags predicted for sentence {number}", len(guess), f"{len(tags)}")
    import seqeval.metrics
    from seqeval.scheme import IOB2

    predicted, true = ([[task.labels[tag] for tag in tags] for tags in side] for side in (predictions, references))
    return float(seqeval.metrics.f1_score(true, predicted, mode="strict", scheme=IOB2, zero_division=0))


def _answer_f1(task: Task, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    return fmean(map(answer_f1, predictions, references))


def _exact_match(task: Task, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    return fmean(map(exact_match, predictions, references))


_METRICS: dict[Kind, dict[str, Metric]] = {
    Kind.SEQUENCE: {"accuracy": _accuracy, "f1": _binary_f1, "mcc": _mcc},
    Kind.TOKENS: {"entity_f1": _entity_f1},
    Kind.SPAN: {"f1": _answer_f1, "em": _exact_match},
}
