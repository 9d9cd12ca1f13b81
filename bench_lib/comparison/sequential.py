"""Sequential comparison: run more seeds at each look, until every task has a sure verdict."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench_lib.comparison.paired_runs import ByTask, TaskRuns, by_task, earlier_runs, technique_versions
from bench_lib.comparison.result import ComparisonResult, TaskResult
from bench_lib.core.errors import BadPlan, BenchError, Problems, require
from bench_lib.core.seeds import TUNING_SEEDS
from bench_lib.core.spec import digest
from bench_lib.executors.base import Executor
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.stats.design import STEP, Design, Margins, looks_up_to
from bench_lib.stats.power import detectable_ratio, seeds_needed
from bench_lib.stats.verdict import Verdict, judge, look_generator
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack

Floats = NDArray[np.float64]

PLACEHOLDER = "adamw"
MIN_SEEDS = 3
"""Smallest number of seeds of an earlier version that can be compared."""


@dataclass(frozen=True)
class ComparisonRequest:
    """What to compare, on which tasks, and with which error rates.

    `max_cost` is the largest accepted ratio of training times, technique over baseline.
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
        scored = "one that is scored on the evaluation set"
        require("scored_on=dev" not in self.profile, "--profile", self.profile, scored)
        require(self.max_cost > 0, "--max-cost", self.max_cost, "above 0, such as 1.5 for one and a half times")

    def design(self) -> Design:
        return Design(looks_up_to(self.max_seeds), len(self.tasks), self.alpha, margins=self.margins)

    def grid(self, techniques: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> Grid:
        """The grid of these techniques, tasks and seeds, with the profile, model and data of the request."""
        return Grid(tuple(tasks), tuple(techniques), tuple(seeds), self.profile, self.model, self.data)


def trainable_stack(text: str) -> Stack:
    """Parse a stack; raises `BenchError` for a seed ensemble, which has no runs to pair with the baseline's."""
    stack = parse_stack(text, TECHNIQUES)
    pools = [technique.name for technique in stack.techniques if technique.pools()]
    if pools:
        raise BenchError(
            f"{pools[0]} pools several seeds into one record, so it has no seeds to pair with a baseline's"
        )
    return stack


def check(
    request: ComparisonRequest,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    against: Store | None = None,
) -> ComparisonResult:
    """Compare the technique with the baseline, adding seeds until all verdicts are sure or seeds run out.

    Stored runs are reused. With `against`, the baseline is an earlier version of the technique, taken from that store
    and not trained again; raises `BenchError` if the store has too few runs of it.
    """
    return Comparison(request, store, executor, report, against).result()


@dataclass(eq=False)
class Comparison:
    """A comparison in progress; the fields are the arguments of `check`."""

    request: ComparisonRequest
    store: Store
    executor: Executor
    report: Callable[[Progress], None] = lambda progress: None
    against: Store | None = None

    def result(self) -> ComparisonResult:
        design, names = self.design(), self._display_names()
        runs = {task: TaskRuns() for task in self.request.tasks}
        verdicts: dict[str, Verdict] = {}
        unsure = self.request.tasks
        for before, look in pairwise((0, *design.looks)):
            new = self._run(unsure, self.seeds[before:look])
            runs |= {task: runs[task].joined(new[task]) for task in unsure}
            verdicts |= {task: _verdict(task, names, runs[task], design, look) for task in unsure}
            unsure = tuple(task for task in unsure if not verdicts[task].sure and not runs[task].decline_reason())
            if not unsure:
                break
        results = [_task_result(t, verdicts[t], runs[t], design, self.request.max_cost) for t in self.request.tasks]
        return ComparisonResult(names[0], self._baseline_name(names[1]), design, tuple(results))

    def design(self) -> Design:
        """The design of the request, its looks limited to the seeds of the earlier version if there is one.

        Raises `BenchError` for an invalid request, before anything is trained.
        """
        problems = Problems()
        design = problems.of(self.request.design)
        stacks = {technique: problems.of(trainable_stack, technique) for technique in self._techniques()}
        parsed = [technique for technique, stack in stacks.items() if stack is not None]
        # With neither technique valid, a placeholder lets the rest of the request be checked.
        problems.of(plan, self.request.grid(parsed or [PLACEHOLDER], self.request.tasks, [0]))
        if problems.found or design is None:
            raise BadPlan(problems.found)
        if self.against is None:
            return design
        if len(self.seeds) < MIN_SEEDS:
            raise BenchError(
                f"{self.against.root} holds {len(self.seeds)} seeds of {self.request.technique} on "
                f"{' and '.join(self.request.tasks)} with the same data, model and settings; a comparison takes "
                f"{MIN_SEEDS} or more"
            )
        return dataclasses.replace(design, looks=looks_up_to(len(self.seeds)))

    def _techniques(self) -> tuple[str, str]:
        """Technique and baseline; the same name twice for a comparison with an earlier version."""
        baseline = self.request.baseline if self.against is None else self.request.technique
        return self.request.technique, baseline

    def _display_names(self) -> list[str]:
        return ["+".join(part.label for part in trainable_stack(text).spec()) for text in self._techniques()]

    def _baseline_name(self, baseline: str) -> str:
        """The baseline's display name, with version and store if it is an earlier version."""
        versions = {
            technique_versions(record.spec) for records in self._earlier.values() for record in records.values()
        }
        return baseline if self.against is None else f"{baseline} version {versions.pop()} in {self.against.root}"

    @functools.cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds in the order of use; for an earlier version, those stored for every task."""
        if self.against is None:
            return tuple(range(self.request.max_seeds))
        shared = set.intersection(*(set(self._earlier.get(task, {})) for task in self.request.tasks))
        return tuple(sorted(shared - {*TUNING_SEEDS}))[: self.request.max_seeds]

    @functools.cached_property
    def _earlier(self) -> ByTask:
        """Runs of the earlier version; cached, since the first new run may add to the same store."""
        if self.against is None:
            return {}
        return earlier_runs(self.against, plan(self.request.grid([self.request.technique], self.request.tasks, [0])))

    def _run(self, tasks: Sequence[str], seeds: Sequence[int]) -> dict[str, TaskRuns]:
        """Run technique and baseline on these tasks and seeds, unless stored, and return the records."""
        technique, baseline = self._techniques()
        unique = dict.fromkeys((technique, baseline))
        run_suite(self.request.grid(list(unique), tasks, seeds), self.store, self.executor, self.report)
        ours = self._stored(technique, tasks, seeds)
        theirs = self._stored(baseline, tasks, seeds) if self.against is None else self._earlier
        return {
            task: TaskRuns(ours.get(task, {}), {seed: theirs[task][seed] for seed in seeds if seed in theirs[task]})
            for task in tasks
        }

    def _stored(self, technique: str, tasks: Sequence[str], seeds: Sequence[int]) -> ByTask:
        specs = plan(self.request.grid([technique], tasks, seeds))
        return by_task(self.store.records([spec.run_id() for spec in specs]))


def _verdict(task: str, names: Sequence[str], runs: TaskRuns, design: Design, look: int) -> Verdict:
    """The verdict at a look; the permutations are seeded by task and names, hence equal on every machine."""
    seed = int(digest(["check", task, *names]), 16)
    return judge(runs.samples(), design, look, look_generator(seed, look))


def _task_result(task: str, verdict: Verdict, runs: TaskRuns, design: Design, max_cost: float) -> TaskResult:
    baseline = runs.samples().baseline
    scores = baseline[~np.isnan(baseline)]
    level = design.levels(design.seeds, sum(verdict.failures)).spread
    generator = np.random.default_rng(int(digest(["power", task]), 16))
    detectable = detectable_ratio(scores, max(verdict.seeds, 3), level, generator)
    missing = 0.0 if verdict.sure else _seeds_to_add(scores, verdict, design, generator)
    return TaskResult(
        task, verdict, runs.cost(), runs.lost_to_infrastructure(), runs.decline_reason(), detectable, missing, max_cost
    )


def _seeds_to_add(scores: Floats, verdict: Verdict, design: Design, generator: np.random.Generator) -> float:
    """Seeds to add to distinguish the observed MAD ratio from 1 or from the margin, whichever is farther from it."""
    log_ratio = abs(verdict.log_ratio.estimate)
    margin = math.log(design.margins.ratio)
    if not math.isfinite(log_ratio):
        return math.nan
    level = design.levels(design.seeds, sum(verdict.failures)).spread
    needed = seeds_needed(scores, math.exp(max(log_ratio, margin - log_ratio)), level, generator)
    return max(needed - design.seeds, STEP)
