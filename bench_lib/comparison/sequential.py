"""Sequential comparison: run more seeds at each look, until every task has a sure verdict."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench_lib.comparison.looks import Family, Looking
from bench_lib.comparison.paired_runs import ByTask, Pair, earlier_runs, nearest_difference, technique_versions
from bench_lib.comparison.result import ComparisonResult
from bench_lib.core.errors import BadPlan, BenchError, Problems, require
from bench_lib.core.seeds import TUNING_SEEDS
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Executor
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.sweep import Progress
from bench_lib.runner.trials import parse_arm
from bench_lib.stats.design import Design, Margins, staged
from bench_lib.store import Store
from bench_lib.tasks.find import find_task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack

PLACEHOLDER = "adamw"
MIN_SEEDS = 3
"""Smallest number of seeds of an earlier version that can be compared."""


@dataclass(frozen=True)
class ComparisonRequest:
    """What to compare, on which tasks, and with which error rates.

    `max_cost` is the largest accepted ratio of training times, technique over baseline. Trials in the store
    `tuned_from` say what tuned arms are, such as `mixout[tuned]`.
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
    tuned_from: str = ""

    def __post_init__(self) -> None:
        once = len(self.tasks) == len(set(self.tasks)) > 0
        require(once, "tasks", self.tasks, "at least one, each once")
        check_scored_on_evaluation(self.profile)
        require(self.max_cost > 0, "--max-cost", self.max_cost, "above 0, such as 1.5 for one and a half times")

    def design(self) -> Design:
        return staged((self.max_seeds,), len(self.tasks), self.alpha, self.margins)

    def grid(self, techniques: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> Grid:
        """The grid of these techniques, tasks and seeds, with the profile, model and data of the request."""
        names = tuple(tasks), tuple(techniques), tuple(seeds)
        return Grid(*names, self.profile, self.model, self.data, tuned_from=self.tuned_from)


def check_scored_on_evaluation(profile: str) -> None:
    """Raise `BadValue` for the profile of trials, which no verdict rests on."""
    scored = "one that is scored on the evaluation set"
    require("scored_on=dev" not in profile.split(":"), "--profile", profile, scored)


def trainable_stack(text: str) -> Stack:
    """Parse a stack, or that of a tuned arm at its defaults.

    Raises `BenchError` for a seed ensemble, which has no runs to pair with the baseline's.
    """
    arm = parse_arm(text)
    stack = parse_stack(text, TECHNIQUES) if arm is None else arm.base
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
        self.design()
        looking = Looking(self._family(), self._pairs, self.store, self.executor, self.report)
        _, technique, baseline = self._pairs[self._tasks[0]].names()
        looking.take()
        results = tuple(looking.result(task, self.request.max_cost) for task in self._tasks)
        return ComparisonResult(technique, self._baseline_name(baseline), looking.design, results)

    def design(self) -> Design:
        """The design of the request, its looks limited to the seeds of the earlier version if there is one.

        Raises `BenchError` for an invalid request, before anything is trained.
        """
        problems = Problems()
        problems.of(self.request.design)
        earlier = self.against is None or parse_arm(self.request.technique) is None
        problems.of(require, earlier, "--against with technique", self.request.technique, "one that was not tuned")
        stacks = {technique: problems.of(trainable_stack, technique) for technique in self._techniques()}
        parsed = [technique for technique, stack in stacks.items() if stack is not None]
        # With neither technique valid, a placeholder lets the rest of the request be checked.
        problems.of(plan, self.request.grid(parsed or [PLACEHOLDER], self.request.tasks, [0]))
        if problems.found:
            raise BadPlan(problems.found)
        if self.against is not None and len(self.seeds) < MIN_SEEDS:
            difference = nearest_difference(self.against, [*self._cells(self.request.technique).values()])
            raise BenchError(
                f"{self.against.root} holds {len(self.seeds)} seeds of {self.request.technique} on "
                f"{' and '.join(self.request.tasks)} with the same data, model and settings; a comparison takes "
                f"{MIN_SEEDS} or more{'; ' if difference else ''}{difference}"
            )
        return self._family().design(self._pairs.values(), self.store)

    def _techniques(self) -> tuple[str, str]:
        """Technique and baseline; the same name twice for a comparison with an earlier version."""
        baseline = self.request.baseline if self.against is None else self.request.technique
        return self.request.technique, baseline

    def _family(self) -> Family:
        return Family(self.request.alpha, self.request.margins, self.seeds)

    @functools.cached_property
    def _tasks(self) -> tuple[str, ...]:
        """The names of the tasks, also of those that the request names by path."""
        return tuple(find_task(text).name for text in self.request.tasks)

    @functools.cached_property
    def _pairs(self) -> dict[str, Pair]:
        ours, theirs = (self._cells(name) for name in self._techniques())
        if self.against is None:
            return {task: Pair(ours[task], theirs[task]) for task in self._tasks}
        return {task: Pair(ours[task], theirs[task], self._earlier[task]) for task in self._tasks}

    def _cells(self, technique: str) -> dict[str, RunSpec]:
        """The technique's cells by task."""
        return {spec.task: spec for spec in plan(self.request.grid([technique], self.request.tasks, [0]))}

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
        shared = set.intersection(*(set(self._earlier.get(task, {})) for task in self._tasks))
        return tuple(sorted(shared - {*TUNING_SEEDS}))[: self.request.max_seeds]

    @functools.cached_property
    def _earlier(self) -> ByTask:
        """Runs of the earlier version; cached, since the first new run may add to the same store."""
        if self.against is None:
            return {}
        return earlier_runs(self.against, plan(self.request.grid([self.request.technique], self.request.tasks, [0])))
