"""Many techniques against one baseline: declared contrasts, and what is known of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from bench_lib.comparison.looks import Family, Looking, Stop
from bench_lib.comparison.paired_runs import Pair
from bench_lib.comparison.result import TaskResult
from bench_lib.comparison.sequential import check_scored_on_evaluation, trainable_stack
from bench_lib.core.errors import Problems, require
from bench_lib.core.seeds import TUNING_SEEDS
from bench_lib.core.spec import RunSpec, TechniqueSpec
from bench_lib.executors.base import Executor
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.limits import Limits
from bench_lib.runner.sweep import UNLIMITED, Progress
from bench_lib.runner.trials import parse_arm
from bench_lib.stats.design import Margins, staged
from bench_lib.stats.reach import LEAST_CHANCE
from bench_lib.store import Store
from bench_lib.tasks.find import find_task


class Contrast(NamedTuple):
    """A technique against the baseline on one task under one profile."""

    technique: str
    task: str
    profile: str


@dataclass(frozen=True)
class Contrasts:
    """Techniques held against one baseline, declared beforehand: every technique x task x profile is one contrast."""

    baseline: str
    techniques: tuple[str, ...]
    tasks: tuple[str, ...]
    profiles: tuple[str, ...]
    model: str = "minilm"
    data: str = "embedded"
    first_seed: int = 0
    max_seeds: int = 30
    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)
    tuned_from: str = ""
    fingerprints: tuple[tuple[str, str], ...] = ()
    """As of a `Grid`."""

    def __post_init__(self) -> None:
        for name in ("techniques", "tasks", "profiles"):
            values = getattr(self, name)
            require(len(values) == len(set(values)) > 0, name, values, "at least one, each once")
        for profile in self.profiles:
            check_scored_on_evaluation(profile)
        require(self.first_seed >= 0, "first seed", self.first_seed, "0 or more")
        seeds = range(self.first_seed, self.first_seed + self.max_seeds)
        fresh = seeds.stop <= TUNING_SEEDS.start or seeds.start >= TUNING_SEEDS.stop
        allowed = f"so many seeds without {TUNING_SEEDS[0]}-{TUNING_SEEDS[-1]}, by which settings are chosen"
        require(fresh, "first seed", self.first_seed, allowed)

    def grid(self, profile: str) -> Grid:
        """The grid of the baseline and all techniques on all tasks under one profile, with the first seed."""
        techniques = (self.baseline, *self.techniques)
        grid = Grid(self.tasks, techniques, (self.first_seed,), profile, self.model, self.data)
        return dataclasses.replace(grid, tuned_from=self.tuned_from, fingerprints=self.fingerprints)

    def __iter__(self) -> Iterator[Contrast]:
        return (Contrast(*names) for names in product(self.techniques, self.tasks, self.profiles))


@dataclass(frozen=True)
class DecidedSweep:
    """The result of each contrast, the number of new runs, and why the sweep stopped."""

    contrasts: Contrasts
    results: Mapping[Contrast, TaskResult]
    runs: int
    stopped: Stop

    @property
    def decided(self) -> tuple[Contrast, ...]:
        """The contrasts with a sure verdict, and those that were declined."""
        return tuple(c for c, result in self.results.items() if result.declined or result.verdict.sure)

    @property
    def open(self) -> dict[Contrast, float]:
        """The other contrasts, and how many seeds each still needs; nan where that is unknown."""
        return {c: self.results[c].missing for c in self.results if c not in self.decided}


def decide(
    contrasts: Contrasts,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    limits: Limits = UNLIMITED,
) -> DecidedSweep:
    """Add seeds where a contrast is open, until all are decided or their seeds or the limits are spent.

    A contrast that its seeds will hardly decide is given up, and says how many more would.
    Looks are those of `check`; one alpha is for all contrasts (`Design.levels`), and the baseline's runs on a task are
    shared by all techniques. Stored runs are reused: the same call goes on after it was stopped, and takes the same
    looks. Raises `BadPlan` for contrasts that cannot be run, before anything is trained.
    """
    pairs = paired(contrasts)
    looking = Looking(family_of(contrasts), pairs, store, executor, report, limits)
    stopped = looking.take()
    return DecidedSweep(contrasts, {contrast: looking.result(contrast) for contrast in pairs}, looking.new, stopped)


def family_of(contrasts: Contrasts) -> Family:
    """What the one alpha of contrasts is for."""
    seeds = range(contrasts.first_seed, contrasts.first_seed + contrasts.max_seeds)
    return Family(contrasts.alpha, contrasts.margins, tuple(seeds), LEAST_CHANCE)


def stack_or_label(text: str) -> tuple[TechniqueSpec, ...] | str:
    """What tells the runs of a technique from others: the stack, or the label of a tuned arm, whose stacks differ."""
    arm = parse_arm(text)
    return trainable_stack(text).spec() if arm is None else arm.label


def paired(contrasts: Contrasts, planned_by: Callable[[Grid], list[RunSpec]] = plan) -> dict[Contrast, Pair]:
    """The runs of each contrast; raises `BadPlan` with all reasons if any cannot be compared.

    `grid.runs_of` in place of `grid.plan` does not try whether data and model fit each other.
    """
    problems = Problems()
    problems.of(staged, (contrasts.max_seeds,), len([*contrasts]), contrasts.alpha, contrasts.margins)
    names = (contrasts.baseline, *contrasts.techniques)
    stacks = {name: stack for name in names if (stack := problems.of(stack_or_label, name)) is not None}
    for name in contrasts.techniques:
        same = [other for other in names if other != name and other in stacks and stacks[other] == stacks.get(name)]
        allowed = "techniques that differ from each other and from the baseline"
        problems.of(require, not same and name != contrasts.baseline, "techniques", name, allowed)
    planned = {profile: problems.of(planned_by, contrasts.grid(profile)) or [] for profile in contrasts.profiles}
    problems.refuse()
    names_of = {text: find_task(text).name for text in contrasts.tasks}
    cells = {
        (profile, spec.task, key): spec
        for profile, specs in planned.items()
        for spec in specs
        for key in (spec.stack, spec.technique())
    }

    def cell(contrast: Contrast, technique: str) -> RunSpec:
        return cells[contrast.profile, names_of[contrast.task], stacks[technique]]

    return {one: Pair(cell(one, one.technique), cell(one, contrasts.baseline)) for one in contrasts}
