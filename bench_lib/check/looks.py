"""The sequential comparison: seeds are added to the store look by look, and no more than the verdict needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench_lib.check.answer import Answer, TaskAnswer
from bench_lib.check.arms import Source, TaskRuns
from bench_lib.errors import BenchError, require
from bench_lib.executors.base import Executor
from bench_lib.spec import digest
from bench_lib.stats.design import STEP, Design, Margins, looks_up_to
from bench_lib.stats.power import detectable_ratio, seeds_needed
from bench_lib.stats.verdict import Verdict, judge, look_generator
from bench_lib.store import Store
from bench_lib.suite import Grid, Progress, plan, run_suite
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.stack import Stack, parse_stack

Floats = NDArray[np.float64]

FEWEST = 3
"""Runs of an older version below which nothing can be compared."""


@dataclass(frozen=True)
class Question:
    """Is the technique more stable than the baseline on these tasks, and at what cost?

    `max_cost` bounds the technique's training time over the baseline's.
    """

    technique: str
    baseline: str
    tasks: tuple[str, ...]
    profile: str = "quick"
    model: str = "minilm"
    data: str = "embedded"
    max_seeds: int = 30
    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)
    max_cost: float = math.inf

    def __post_init__(self) -> None:
        require(len(self.tasks) > 0, "tasks", self.tasks, "at least one")
        require(self.max_cost > 0, "--max-cost", self.max_cost, "above 0, such as 1.5 for one and a half times")

    def design(self) -> Design:
        return Design(looks_up_to(self.max_seeds), len(self.tasks), self.alpha, margins=self.margins)

    def grid(self, seeds: int, *techniques: str) -> Grid:
        """The runs of one arm, or of several, on the first so many seeds."""
        return Grid(self.tasks, techniques, tuple(range(seeds)), self.profile, self.model, self.data)


def trained(text: str) -> Stack:
    """The stack of a technique's text; one that pools trained seeds raises `BenchError`."""
    stack = parse_stack(text, TECHNIQUES)
    pools = [technique.name for technique in stack.techniques if technique.pools()]
    if pools:
        raise BenchError(
            f"{pools[0]} pools several seeds into one record, so it has no seeds to pair with a baseline's"
        )
    return stack


def check(
    question: Question,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    against: Store | None = None,
) -> Answer:
    """Compare the technique with the baseline, adding seeds until every task is sure or the seeds are spent.

    What the store holds is not trained again. With `against`, the baseline is what that store holds of the same
    technique in an older version, and nothing of it is trained: raises `BenchError` where it holds nothing.
    """
    comparison = Comparison(question, store, executor, report, Source(against or store, against is not None))
    return comparison.answer()


@dataclass(eq=False)
class Comparison:
    """A check on its way."""

    question: Question
    store: Store
    executor: Executor
    report: Callable[[Progress], None]
    source: Source

    def answer(self) -> Answer:
        labels = ["+".join(t.label for t in trained(text).spec()) for text in self._arms()]
        design = self._design()
        open_tasks, found = list(self.question.tasks), dict[str, tuple[Verdict, TaskRuns]]()
        for look in design.looks:
            runs = self._runs(tuple(open_tasks), look)
            found |= {task: (_judged(task, labels, runs[task], design, look), runs[task]) for task in open_tasks}
            open_tasks = [task for task in open_tasks if not found[task][0].sure and not found[task][1].declined()]
            if not open_tasks:
                break
        answers = [_answered(task, *found[task], design, self.question.max_cost) for task in self.question.tasks]
        return Answer(labels[0], labels[1], design, tuple(answers))

    def _arms(self) -> tuple[str, str]:
        """The technique, and what it is compared with: itself, where that is an older version."""
        baseline = self.question.technique if self.source.older else self.question.baseline
        return self.question.technique, baseline

    def _design(self) -> Design:
        """As the question has it, with no more seeds than an older store can answer for."""
        if not self.source.older:
            return self.question.design()
        held = self.source.runs(plan(self.question.grid(self.question.max_seeds, self.question.technique)))
        fewest, task = min((len(held.get(task, {})), task) for task in self.question.tasks)
        if fewest < FEWEST:
            raise BenchError(
                f"{self.source.store.root} holds {fewest} runs of {self.question.technique} on {task} with the same "
                f"data, model, settings and seeds; a comparison takes {FEWEST} or more"
            )
        last = max(seed for runs in held.values() for seed in runs)
        return dataclasses.replace(self.question.design(), looks=looks_up_to(last + 1))

    def _runs(self, tasks: tuple[str, ...], look: int) -> dict[str, TaskRuns]:
        """Both arms' runs of the tasks on the look's seeds, made where they are not stored."""
        question = dataclasses.replace(self.question, tasks=tasks)
        trained_here = self._arms()[: 1 if self.source.older else 2]
        run_suite(question.grid(look, *trained_here), self.store, self.executor, self.report)
        ours, theirs = (plan(question.grid(look, name)) for name in self._arms())
        technique = Source(self.store).runs(ours)
        baseline = self.source.runs(theirs)
        return {task: TaskRuns(technique.get(task, {}), baseline.get(task, {})) for task in tasks}


def _judged(task: str, labels: Sequence[str], runs: TaskRuns, design: Design, look: int) -> Verdict:
    """The verdict of a look; its generator belongs to the comparison, so that any machine draws the same numbers."""
    seed = int(digest(["check", task, *labels]), 16)
    return judge(runs.arms(), design, look, look_generator(seed, look))


def _answered(task: str, verdict: Verdict, runs: TaskRuns, design: Design, max_cost: float) -> TaskAnswer:
    baseline = runs.arms().baseline
    scores = baseline[~np.isnan(baseline)]
    level = design.levels(design.seeds, sum(verdict.failures)).spread
    generator = np.random.default_rng(int(digest(["power", task]), 16))
    detectable = detectable_ratio(scores, max(verdict.seeds, 3), level, generator)
    missing = 0.0 if verdict.sure else _missing(scores, verdict, design, generator)
    return TaskAnswer(task, verdict, runs.cost(), runs.lost(), runs.declined(), detectable, missing, max_cost)


def _missing(scores: Floats, verdict: Verdict, design: Design, generator: np.random.Generator) -> float:
    """Seeds to add until the ratio that was seen is told from 1 or from the margin, whichever it is farther from."""
    seen = abs(verdict.log_ratio.estimate)
    margin = math.log(design.margins.ratio)
    if not math.isfinite(seen):
        return math.nan
    level = design.levels(design.seeds, sum(verdict.failures)).spread
    needed = seeds_needed(scores, math.exp(max(seen, margin - seen)), level, generator)
    return max(needed - design.seeds, STEP)
