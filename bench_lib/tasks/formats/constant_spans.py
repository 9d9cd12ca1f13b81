"""The constant baseline of answer spans: one position for all contexts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from bench_lib.tasks.formats.squad_metrics import bag, exact_match, overlap_f1

FIRST_WORDS = 5
MOST_WORDS = 4


@dataclass(frozen=True, eq=False)
class Candidate:
    """The words at one position of a context, as text and as counts of normalised words."""

    text: str
    words: Counter[str]


def best_position(metric: str, asked: Sequence[tuple[str, Sequence[str]]]) -> float:
    """The best mean `f1` or `em` of one position, over contexts with their answers.

    Positions begin at white-space word 0 to 4 and are 1 to 4 words long.
    """
    measure = {"f1": _overlaps, "em": _matches}[metric]
    candidates = cache(_candidates)
    totals = np.zeros(FIRST_WORDS * MOST_WORDS)
    for context, answers in asked:
        if answers:  # without one, every position is wrong
            totals += measure(candidates(context), list(dict.fromkeys(answers)))
    return float(totals.max() / len(asked))


def _overlaps(candidates: Sequence[Candidate], answers: Sequence[str]) -> list[float]:
    truths = [bag(answer) for answer in answers]
    return [max(overlap_f1(candidate.words, truth) for truth in truths) for candidate in candidates]


def _matches(candidates: Sequence[Candidate], answers: Sequence[str]) -> list[float]:
    return [exact_match(candidate.text, answers) for candidate in candidates]


def _candidates(context: str) -> list[Candidate]:
    words = context.split(maxsplit=FIRST_WORDS + MOST_WORDS)
    positions = product(range(FIRST_WORDS), range(1, MOST_WORDS + 1))
    texts = [" ".join(words[first : first + length]) for first, length in positions]
    return [Candidate(text, bag(text)) for text in texts]
