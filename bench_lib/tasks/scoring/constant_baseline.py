"""What a predictor that ignores its input reaches: the score at or below which a run has collapsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from statistics import fmean

import numpy as np

from bench_lib.core.errors import require
from bench_lib.core.examples import Example, Kind, SpanExample
from bench_lib.tasks.scoring.metrics import reference, score
from bench_lib.tasks.scoring.squad_metrics import answer_f1, bag, exact_match, overlap_f1
from bench_lib.tasks.task import Task

FIRST_WORDS = 5
MOST_WORDS = 4
ROUNDING = 1e-9
"""Scores that are nearer to each other are equal but for the order in which they were added up."""


@dataclass(frozen=True)
class Room:
    """What an evaluation set leaves between constants and a perfect model, in its primary metric.

    `trivial` is what runs are held against; `constant` is the best of all constants, that of tags among them; `best` is
    what the right answers reach.
    """

    trivial: float
    constant: float
    best: float

    def __bool__(self) -> bool:
        """Whether a model can be told from a constant; a metric without a value tells nothing."""
        return self.best - self.constant > ROUNDING


def room(task: Task, evaluation: Sequence[Example]) -> Room:
    """The scores between which models are told apart on an evaluation set.

    By any metric of classes or tags the constant falls short as soon as there are two of them.
    """
    trivial = trivial_score(task, evaluation)
    if task.kind is Kind.SPAN:
        measure = {"f1": answer_f1, "em": exact_match}[task.primary]
        answers = [example.answers for example in evaluation if isinstance(example, SpanExample)]
        return Room(trivial, trivial, fmean(max(measure(answer, own) for answer in own) for own in answers))
    references = [reference(example) for example in evaluation]
    labels = {label for own in references for label in (own if isinstance(own, tuple) else [own])}
    if len(labels) > 1:
        return Room(trivial, trivial, 1.0)
    best = score(task, references, references)[task.primary]
    return Room(trivial, max(trivial, best), best)


def trivial_score(task: Task, evaluation: Sequence[Example]) -> float:
    """The best primary metric of a constant predictor on these examples.

    Classes: the better of the constant classes. Tags: all `O`, which finds no entity, so 0. Spans: the best of one
    position for all contexts, beginning at white-space word 0 to 4 and 1 to 4 words long.
    """
    require(len(evaluation) > 0, "number of evaluation examples", len(evaluation), "1 or more")
    if task.kind is Kind.TOKENS:
        return 0.0
    if task.kind is Kind.SPAN:
        return _best_position(task, [example for example in evaluation if isinstance(example, SpanExample)])
    references = [reference(example) for example in evaluation]
    constants = ([label] * len(references) for label in range(len(task.labels)))
    return max(score(task, constant, references)[task.primary] for constant in constants)


def _best_position(task: Task, examples: Sequence[SpanExample]) -> float:
    measure = {"f1": _overlaps, "em": _matches}[task.primary]
    candidates = cache(_candidates)
    totals = np.zeros(FIRST_WORDS * MOST_WORDS)
    for example in examples:
        totals += measure(candidates(example.context), list(dict.fromkeys(example.answers)))
    return float(totals.max() / len(examples))


def _overlaps(candidates: Sequence[Candidate], answers: Sequence[str]) -> list[float]:
    truths = [bag(answer) for answer in answers]
    return [max(overlap_f1(candidate.words, truth) for truth in truths) for candidate in candidates]


def _matches(candidates: Sequence[Candidate], answers: Sequence[str]) -> list[float]:
    return [exact_match(candidate.text, answers) for candidate in candidates]


@dataclass(frozen=True, eq=False)
class Candidate:
    """The words at one position of a context, and how often each of them stands there once normalised."""

    text: str
    words: Counter[str]


def _candidates(context: str) -> list[Candidate]:
    words = context.split(maxsplit=FIRST_WORDS + MOST_WORDS)
    positions = product(range(FIRST_WORDS), range(1, MOST_WORDS + 1))
    texts = [" ".join(words[first : first + length]) for first, length in positions]
    return [Candidate(text, bag(text)) for text in texts]
