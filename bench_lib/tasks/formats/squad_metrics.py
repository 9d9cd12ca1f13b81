"""Scores of answer spans as the official SQuAD scripts define them, as fractions.

Those of v1.1 are in Rajpurkar et al. 2016; v2.0 (Rajpurkar et al. 2018) has questions without an answer.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(answer: str) -> str:
    """The answer in lower case, without ASCII punctuation, articles and surplus white space."""
    plain = answer.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def bag(answer: str) -> Counter[str]:
    """The count of each word of the normalised answer."""
    return Counter(normalise(answer).split())


def overlap_f1(prediction: Counter[str], reference: Counter[str]) -> float:
    """F1 of two bags of words; 0 where they share no word, and so where both are empty."""
    shared = (prediction & reference).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / prediction.total(), shared / reference.total()
    return 2 * precision * recall / (precision + recall)


def answer_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of the words against the reference that fits best."""
    words = bag(prediction)
    return max(overlap_f1(words, bag(reference)) for reference in references)


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 where the normalised answer equals that of any reference, else 0."""
    return float(normalise(prediction) in {normalise(reference) for reference in references})


def answer_or_none_f1(prediction: str, references: Sequence[str]) -> float:
    """As `answer_f1`, and 1 or 0 where prediction or reference is no answer, by whether both are."""
    words = bag(prediction)
    bags = [bag(reference) for reference in _answers(references)]
    return max(overlap_f1(words, one) if words and one else float(words == one) for one in bags)


def match_or_none(prediction: str, references: Sequence[str]) -> float:
    """As `exact_match`, where the reference is no answer if there are none."""
    return exact_match(prediction, _answers(references))


def _answers(references: Sequence[str]) -> Sequence[str]:
    """The references with a word, or no answer where there are none."""
    return [reference for reference in references if normalise(reference)] or [""]
