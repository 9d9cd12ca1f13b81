"""What a predictor that ignores its input reaches: the score at or below which a run has collapsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np

from bench_lib.errors import require
from bench_lib.examples import Example, Kind, SpanExample
from bench_lib.tasks.answers import bag, overlap_f1
from bench_lib.tasks.base import Task
from bench_lib.tasks.metrics import reference, score

FIRST_WORDS = 5
MOST_WORDS = 4


def trivial_score(task: Task, evaluation: Sequence[Example]) -> float:
    """The best primary metric of a constant predictor on these examples.

    Classes: the better of the constant classes. Tags: all `O`, which finds no entity, so 0. Spans: the best F1 of one
    position for all contexts, beginning at white-space word 0 to 4 and 1 to 4 words long.
    """
    require(len(evaluation) > 0, "number of evaluation examples", len(evaluation), "1 or more")
    if task.kind is Kind.TOKENS:
        return 0.0
    if task.kind is Kind.SPAN:
        return _best_position([example for example in evaluation if isinstance(example, SpanExample)])
    references = [reference(example) for example in evaluation]
    constants = ([label] * len(references) for label in range(len(task.labels)))
    return max(score(task, constant, references)[task.primary] for constant in constants)


def _best_position(examples: Sequence[SpanExample]) -> float:
    candidates = cache(_candidates)
    totals = np.zeros(FIRST_WORDS * MOST_WORDS)
    for example in examples:
        references = [bag(answer) for answer in dict.fromkeys(example.answers)]
        totals += [max(overlap_f1(words, truth) for truth in references) for words in candidates(example.context)]
    return float(totals.max() / len(examples))


def _candidates(context: str) -> list[Counter[str]]:
    words = context.split(maxsplit=FIRST_WORDS + MOST_WORDS)
    positions = product(range(FIRST_WORDS), range(1, MOST_WORDS + 1))
    return [bag(" ".join(words[first : first + length])) for first, length in positions]
