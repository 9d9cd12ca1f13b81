"""Metrics of answer spans over a data set, as fractions, with or without questions that have no answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from bench_lib.tasks.formats.squad_metrics import answer_f1, answer_or_none_f1, exact_match, match_or_none

ANSWERABLE = ("answerable", "unanswerable")
"""The labels of a task with questions that their context does not answer; without labels there are none."""

References = Sequence[Sequence[str]]
"""The reference answers of each question; none where it has no answer."""
OneAnswer = Callable[[str, Sequence[str]], float]


def f1(labels: Sequence[str], predictions: Sequence[str], references: References) -> float:
    """The mean F1 of the words, as the official script of SQuAD v1.1 has it, or with labels that of v2.0."""
    return fmean(map(_one("f1", labels), predictions, references))


def em(labels: Sequence[str], predictions: Sequence[str], references: References) -> float:
    """The share of exact matches, as the official script of SQuAD v1.1 has it, or with labels that of v2.0."""
    return fmean(map(_one("em", labels), predictions, references))


def has_answer_f1(labels: Sequence[str], predictions: Sequence[str], references: References) -> float:
    """The mean F1 of the questions that have an answer; 0 where there are none."""
    pairs = [pair for pair in zip(predictions, references, strict=True) if pair[1]]
    return fmean(answer_or_none_f1(*pair) for pair in pairs) if pairs else 0.0


def no_answer_accuracy(labels: Sequence[str], predictions: Sequence[str], references: References) -> float:
    """The share of the questions without an answer to which none is given; 0 where there are no such questions."""
    found = [match_or_none(guess, true) for guess, true in zip(predictions, references, strict=True) if not true]
    return fmean(found) if found else 0.0


SPAN_METRICS = {"f1": f1, "em": em, "has_answer_f1": has_answer_f1, "no_answer_accuracy": no_answer_accuracy}
OF_UNANSWERABLE = ("has_answer_f1", "no_answer_accuracy")
"""Those that tell questions with an answer from the others."""
CONSTANT = {"f1": "f1", "em": "em", "has_answer_f1": "f1", "no_answer_accuracy": ""}
"""How a constant position is scored under each metric; under the last it is always wrong."""


def best_answers(labels: Sequence[str], metric: str, references: References) -> list[str]:
    """For each question the reference that scores best, or nothing where it has no answer."""
    own = _one("em" if metric == "em" else "f1", labels)
    return [max(answers, key=lambda answer: own(answer, answers)) if answers else "" for answers in references]


def _one(metric: str, labels: Sequence[str]) -> OneAnswer:
    """The score of one answer."""
    if metric == "em":
        return match_or_none if labels else exact_match
    return answer_or_none_f1 if labels else answer_f1
