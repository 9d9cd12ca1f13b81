"""Metrics of sets of labels, as fractions; where one is undefined it is 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

LabelSet = Sequence[int]
"""Different labels as rising indices."""


def micro_f1(_labels: Sequence[str], predictions: Sequence[LabelSet], references: Sequence[LabelSet]) -> float:
    """The F1 of all labels counted together."""
    right, guessed, true = _counts(predictions, references)
    return _f1(right.total(), guessed.total(), true.total())


def macro_f1(_labels: Sequence[str], predictions: Sequence[LabelSet], references: Sequence[LabelSet]) -> float:
    """The mean F1 of the labels that are predicted or right anywhere."""
    right, guessed, true = _counts(predictions, references)
    scores = [_f1(right[label], guessed[label], true[label]) for label in {*guessed, *true}]
    return fmean(scores) if scores else 0.0


def exact_match(_labels: Sequence[str], predictions: Sequence[LabelSet], references: Sequence[LabelSet]) -> float:
    """The share of texts with the right set."""
    return fmean({*guess} == {*true} for guess, true in zip(predictions, references, strict=True))


def best_constant(metric: str, references: Sequence[LabelSet]) -> float:
    """The best score of one set for all texts.

    Of exact match it is the most frequent set; of micro-F1 the most frequent labels, as many as is best; of macro-F1
    all labels that occur.
    """
    counts = _counted(references)
    n, frequent = len(references), sorted(counts.values(), reverse=True)
    if metric == "exact_match":
        return max(Counter(frozenset(one) for one in references).values()) / n
    if metric == "micro_f1":
        return max(_f1(sum(frequent[:k]), n * k, counts.total()) for k in range(len(frequent) + 1))
    return fmean(_f1(count, n, count) for count in frequent) if frequent else 0.0


def _counts(
    predictions: Sequence[LabelSet], references: Sequence[LabelSet]
) -> tuple[Counter[int], Counter[int], Counter[int]]:
    """How often each label is right, predicted, and true."""
    pairs = zip(predictions, references, strict=True)
    return _counted({*guess} & {*true} for guess, true in pairs), _counted(predictions), _counted(references)


def _counted(sets: Iterable[Iterable[int]]) -> Counter[int]:
    return Counter(label for one in sets for label in one)


def _f1(right: int, guessed: int, true: int) -> float:
    return 2 * right / (guessed + true) if guessed + true else 0.0


LABEL_SET_METRICS = {"macro_f1": macro_f1, "micro_f1": micro_f1, "exact_match": exact_match}
