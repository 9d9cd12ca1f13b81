"""The sequential comparison: seeds are added to the store look by look, and no more than the verdict needs."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench_lib.comparison.paired_runs import ByTask, TaskRuns, by_task, earlier_runs, versions
from bench_lib.comparison.result import Answer, TaskAnswer
from bench_lib.core.errors import BadPlan, BenchError, Problems, require
from bench_lib.core.spec import digest
from bench_lib.executors.base import Executor
from bench_lib.runner.suite import Grid, Progress, plan, run_suite
from bench_lib.stats.design import STEP, Design, Margins, looks_up_to
from bench_lib.stats.power import detectable_ratio, seeds_needed
from bench_lib.stats.verdict import Verdict, judge, look_generator
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack

Floats = NDArray[np.float64]

STAND_IN = "adamw"
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
        once = len(self.tasks) == len(set(self.tasks)) > 0
        require(once, "tasks", self.tasks, "at least one, each once")
        require(self.max_cost > 0, "--max-cost", self.max_cost, "above 0, such as 1.5 for one and a half times")

    def design(self) -> Design:
        return Design(looks_up_to(self.max_seeds), len(self.tasks), self.alpha, margins=self.margins)

    def grid(self, techniques: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> Grid:
        """The runs of some techniques on some of the tasks and seeds."""
        return Grid(tuple(tasks), tuple(techniques), tuple(seeds), self.profile, self.model, self.data)


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
    return Comparison(question, store, executor, report, against).answer()


@dataclass(eq=False)
class Comparison:
    """A check on its way; its parts are those of `check`."""

    question: Question
    store: Store
    executor: Executor
    report: Callable[[Progress], None] = lambda progress: None
    against: Store | None = None

    def answer(self) -> Answer:
        design, labels = self.design(), self._labels()
        runs = {task: TaskRuns() for task in self.question.tasks}
        verdicts: dict[str, Verdict] = {}
        unsure = self.question.tasks
        for before, look in pairwise((0, *design.looks)):
            new = self._runs(unsure, self.seeds[before:look])
            runs |= {task: runs[task].joined(new[task]) for task in unsure}
            verdicts |= {task: _judged(task, labels, runs[task], design, look) for task in unsure}
            unsure = tuple(task for task in unsure if not verdicts[task].sure and not runs[task].declined())
            if not unsure:
                break
        answers = [_answered(t, verdicts[t], runs[t], design, self.question.max_cost) for t in self.question.tasks]
        return Answer(labels[0], self._named(labels[1]), design, tuple(answers))

    def design(self) -> Design:
        """As the question has it, with no more seeds than an older store can answer for.

        Raises `BenchError` for a question that cannot be asked, before anything is trained.
        """
        problems = Problems()
        design = problems.of(self.question.design)
        stacks = {technique: problems.of(trained, technique) for technique in self._arms()}
        read = [technique for technique, stack in stacks.items() if stack is not None]
        # Where neither can be read, any technique stands in, so that the rest is looked at all the same.
        problems.of(plan, self.question.grid(read or [STAND_IN], self.question.tasks, [0]))
        if problems.found or design is None:
            raise BadPlan(problems.found)
        if self.against is None:
            return design
        if len(self.seeds) < FEWEST:
            raise BenchError(
                f"{self.against.root} holds {len(self.seeds)} seeds of {self.question.technique} on "
                f"{' and '.join(self.question.tasks)} with the same data, model and settings; a comparison takes "
                f"{FEWEST} or more"
            )
        return dataclasses.replace(design, looks=looks_up_to(len(self.seeds)))

    def _arms(self) -> tuple[str, str]:
        """The technique, and what it is compared with: itself, where that is an older version."""
        baseline = self.question.baseline if self.against is None else self.question.technique
        return self.question.technique, baseline

    def _labels(self) -> list[str]:
        return ["+".join(part.label for part in trained(text).spec()) for text in self._arms()]

    def _named(self, baseline: str) -> str:
        """The baseline's label, with version and store where it is an older version."""
        found = {versions(record.spec) for records in self._earlier.values() for record in records.values()}
        return baseline if self.against is None else f"{baseline} version {found.pop()} in {self.against.root}"

    @functools.cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in the order in which they are added: of an older version those that it has on every task."""
        if self.against is None:
            return tuple(range(self.question.max_seeds))
        shared = set.intersection(*(set(self._earlier.get(task, {})) for task in self.question.tasks))
        return tuple(sorted(shared))[: self.question.max_seeds]

    @functools.cached_property
    def _earlier(self) -> ByTask:
        """What there is of an older version, as it is before the first run."""
        if self.against is None:
            return {}
        return earlier_runs(self.against, plan(self.question.grid([self.question.technique], self.question.tasks, [0])))

    def _runs(self, tasks: Sequence[str], seeds: Sequence[int]) -> dict[str, TaskRuns]:
        """Both arms' runs of the tasks on the seeds, made where they are not stored."""
        technique, baseline = self._arms()
        both = dict.fromkeys((technique, baseline))
        run_suite(self.question.grid(list(both), tasks, seeds), self.store, self.executor, self.report)
        ours = self._stored(technique, tasks, seeds)
        theirs = self._stored(baseline, tasks, seeds) if self.against is None else self._earlier
        return {
            task: TaskRuns(ours.get(task, {}), {seed: theirs[task][seed] for seed in seeds if seed in theirs[task]})
            for task in tasks
        }

    def _stored(self, technique: str, tasks: Sequence[str], seeds: Sequence[int]) -> ByTask:
        specs = plan(self.question.grid([technique], tasks, seeds))
        return by_task(self.store.records([spec.run_id() for spec in specs]))


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
