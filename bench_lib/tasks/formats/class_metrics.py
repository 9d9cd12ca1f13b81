"""Metrics of classes: fractions, except for the Matthews correlation, which runs from -1 to 1.

Where a metric is undefined it is 0. scikit-learn takes 100 MB of a worker's memory, so only the metrics that need it
import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bench_lib.core.errors import BenchError

OUT_OF_SCOPE = "oos"
"""The label of texts that belong to no other class."""
DIRECTIONS = ("(e1,e2)", "(e2,e1)")
"""The ends of the labels of a relation, by which of the two entities comes first in it."""


def accuracy(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The share of right predictions."""
    return fmean(guess == true for guess, true in zip(predictions, references, strict=True))


def binary_f1(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The F1 of the second of two classes."""
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, zero_division=0))


def macro_f1(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The mean F1 of the classes that are predicted or right, as SuperGLUE takes it."""
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, average="macro", zero_division=0))


def micro_f1(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The F1 of all classes counted together; with one class for each text it is the accuracy."""
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, average="micro", zero_division=0))


def weighted_f1(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The mean F1 of the classes, each weighted by how often it is right."""
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, average="weighted", zero_division=0))


def mcc(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The Matthews correlation of predictions and references."""
    # Undefined where either side is constant, which scikit-learn answers with a warning.
    if len(set(predictions)) == 1 or len(set(references)) == 1:
        return 0.0
    import sklearn.metrics

    return float(sklearn.metrics.matthews_corrcoef(references, predictions))


def relation_f1(labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The mean F1 of the relations among the references, with the direction counted and without `Other`.

    This is the official score of SemEval-2010 task 8: the two directions of a relation are not averaged but counted
    together. A prediction is right only in the right direction, and one in the wrong direction is a false positive and
    a false negative of its relation; then the relations are averaged.
    """
    import sklearn.metrics

    counts = sklearn.metrics.multilabel_confusion_matrix(references, predictions, labels=range(len(labels)))
    scores = list[float]()
    for directions in relations(labels).values():
        if not {*directions}.isdisjoint(references):
            (_, false_positives), (false_negatives, right) = counts[directions].sum(axis=0).tolist()
            scores.append(2 * right / (2 * right + false_positives + false_negatives))
    return fmean(scores) if scores else 0.0


def in_scope_accuracy(labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The accuracy on the texts in scope; to call one of them out of scope is wrong."""
    return _accuracy_where(labels, predictions, references, out_of_scope=False)


def out_of_scope_recall(labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    """The share of the texts out of scope that are recognised as such."""
    return _accuracy_where(labels, predictions, references, out_of_scope=True)


def _accuracy_where(
    labels: Sequence[str], predictions: Sequence[int], references: Sequence[int], out_of_scope: bool
) -> float:
    other = labels.index(OUT_OF_SCOPE)
    pairs = zip(predictions, references, strict=True)
    right = [guess == true for guess, true in pairs if (true == other) is out_of_scope]
    return fmean(right) if right else 0.0


def relations(labels: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """The relations among the labels, each with the indices of its directions."""
    found: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        if label.endswith(DIRECTIONS):
            found.setdefault(label[: -len(DIRECTIONS[0])], []).append(index)
    return found


CLASS_METRICS = {
    "accuracy": accuracy,
    "f1": binary_f1,
    "mcc": mcc,
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "weighted_f1": weighted_f1,
    "relation_f1": relation_f1,
    "in_scope_accuracy": in_scope_accuracy,
    "out_of_scope_recall": out_of_scope_recall,
}


def check_class_metric(metric: str, labels: Sequence[str], task: str) -> None:
    """Raise `BenchError` for a metric that does not fit the labels."""
    there = f"there are {len(labels)} ({', '.join(labels)})"
    if metric == "f1" and len(labels) != 2:
        others = "accuracy, macro_f1, micro_f1, weighted_f1, mcc"
        why = f"is of two classes, the second against the first, and {there}; allowed: {others}"
    elif metric == "relation_f1" and not relations(labels):
        why = f"reads relations from labels that end in {' or '.join(DIRECTIONS)}, and {there}"
    elif metric in ("in_scope_accuracy", "out_of_scope_recall") and OUT_OF_SCOPE not in labels:
        why = f"needs the label {OUT_OF_SCOPE}, and {there}"
    else:
        return
    raise BenchError(f"metric {metric} of task {task} {why}")
