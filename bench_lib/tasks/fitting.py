"""What a task must say of itself to be scored: columns, labels and metrics that fit each other and its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench_lib.core.errors import BenchError, UnknownName, require
from bench_lib.core.examples import Kind

OUTSIDE = "O"
"""The tag of a word that is part of nothing; words that are cut off by the length count as predicted so."""

COLUMNS = {Kind.SEQUENCE: (2, 3), Kind.TOKENS: (2, 2), Kind.SPAN: (4, 4)}
"""How many columns a task of each kind names, at least and at most."""

METRICS: dict[Kind, tuple[str, ...]] = {
    Kind.SEQUENCE: ("accuracy", "f1", "mcc"),
    Kind.TOKENS: ("entity_f1",),
    Kind.SPAN: ("f1", "em"),
}
"""The metrics that there are for each kind."""


def check_columns(kind: Kind, columns: Sequence[str], task: str) -> None:
    """Raise `BadValue` for more or fewer columns than the kind has, or one that is named twice."""
    least, most = COLUMNS[kind]
    allowed = f"{least} different ones" if least == most else f"{least} to {most} different ones"
    fits = least <= len(columns) <= most and len(set(columns)) == len(columns)
    require(fits, f"columns of task {task} ({kind})", tuple(columns), allowed)


def check_labels(kind: Kind, labels: Sequence[str], task: str) -> None:
    """Raise `BadValue` for labels that a task of the kind cannot have."""
    what = f"labels of task {task} ({kind})"
    twice = [label for label, count in Counter(labels).items() if count > 1]
    require(not twice, what, tuple(twice), "each label once")
    if kind is Kind.SPAN:
        require(not labels, what, tuple(labels), "none, since the answers are spans of the text")
        return
    require(len(labels) >= 2, what, tuple(labels), "two or more")
    outside = OUTSIDE in labels or kind is not Kind.TOKENS
    require(outside, what, tuple(labels), f"{OUTSIDE!r} among them, the tag of words that belong to nothing")


def check_metrics(kind: Kind, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
    """Raise `BenchError` for a metric that the kind does not have, or that does not fit the labels."""
    require(len(metrics) == len(set(metrics)) > 0, f"metrics of task {task}", tuple(metrics), "at least one, each once")
    for name in metrics:
        if name not in METRICS[kind]:
            raise UnknownName(f"metric of task {task} ({kind})", name, METRICS[kind])
    if kind is Kind.SEQUENCE and "f1" in metrics and len(labels) != 2:
        raise BenchError(
            f"metric f1 of task {task} is of two classes, the second against the first, and there are {len(labels)} "
            f"({', '.join(labels)}); allowed: accuracy, mcc"
        )
    if kind is Kind.TOKENS and "entity_f1" in metrics:
        _check_iob2(labels, task)


def _check_iob2(labels: Sequence[str], task: str) -> None:
    """Entities are read from tags in IOB2: `O`, a `B-` for each type, and an `I-` for those of several words."""
    wrong = [label for label in labels if label != OUTSIDE and not (label[:2] in ("B-", "I-") and label[2:])]
    unbegun = [label for label in labels if label.startswith("I-") and f"B-{label[2:]}" not in labels]
    if wrong or unbegun:
        why = f"{', '.join(wrong)} is neither" if wrong else f"{', '.join(unbegun)} stands without its B-"
        raise BenchError(
            f"metric entity_f1 of task {task} reads entities from tags in IOB2, {OUTSIDE!r}, 'B-TYPE' and 'I-TYPE', "
            f"and {why}"
        )
