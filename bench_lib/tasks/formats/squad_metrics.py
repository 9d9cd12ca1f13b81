"""Scores of answer spans as the official SQuAD v1.1 script defines them (Rajpurkar et al. 2016), as fractions."""

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
