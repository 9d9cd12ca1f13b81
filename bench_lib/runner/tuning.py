"""Tune: run the trials of every arm that the store lacks; the store alone says what is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from bench_lib.core.errors import Problems, Unsupported, require
from bench_lib.core.record import Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Executor
from bench_lib.runner.feasibility import hindrances
from bench_lib.runner.grid import Grid, runs_of
from bench_lib.runner.limits import Limits
from bench_lib.runner.sweep import UNLIMITED, Progress, Report, sweep
from bench_lib.runner.trials import Arm, Outcome, Tuning, outcomes, tuning
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack

LOST = frozenset(status for status in Status if status.lost_to_infrastructure)
"""Statuses of trials that run again whenever the same tuning is asked for."""
STAND_IN = "adamw"
"""Checked with the rest of a grid whose own techniques are all invalid."""


@dataclass(frozen=True)
class TuningPlan:
    """The arms on the tasks that they take, each with a run of its base, and their trials in the order of execution.

    `declined` has the reason by task and name for the others.
    """

    arms: tuple[tuple[Arm, RunSpec], ...]
    declined: Mapping[tuple[str, str], str]
    trials: tuple[RunSpec, ...]

    def run(
        self,
        store: Store,
        executor: Executor,
        report: Report = lambda progress: None,
        limits: Limits = UNLIMITED,
    ) -> Progress:
        """Run the trials that are not stored or were lost; what is interrupted goes on with the same call."""
        return sweep(self.trials, store, executor, report, LOST, limits)

    def tunings(self, store: Store) -> list[Tuning]:
        """What the store knows of each arm on each task."""
        return self.known(outcomes(store))

    def known(self, stored: Mapping[str, Outcome]) -> list[Tuning]:
        """The same of stored trials by their ids."""
        return [tuning(arm, cell, stored) for arm, cell in self.arms]


def plan_tuning(grid: Grid, budget: int) -> TuningPlan:
    """Plan the trials of a grid's techniques on its tasks: first all defaults, then point by point.

    The seeds of the grid are not used. Raises `BadPlan` with all problems.
    """
    problems = Problems()
    planned = trials_of(grid, budget)
    problems.found += hindrances([*(cell for _, cell in planned.arms), *planned.trials])
    problems.refuse()
    return planned


def trials_of(grid: Grid, budget: int) -> TuningPlan:
    """The trials like `plan_tuning`, without trying whether data and model fit each other, which takes longer."""
    problems = Problems()
    arms = [problems.of(_arm, text, budget) for text in dict.fromkeys(grid.techniques)]
    by_stack = {arm.base.spec(): arm for arm in arms if arm is not None}
    techniques = tuple(arm.text for arm in by_stack.values()) or (STAND_IN,)
    cells = problems.of(runs_of, dataclasses.replace(grid, techniques=techniques, seeds=(0,)))
    scored = {cell.profile_name for cell in cells or [] if cell.profile.scored_on == "dev"}
    problems.of(require, not scored, "profile", "".join(scored), "one without scored_on, which trials set themselves")
    problems.refuse()
    found: list[tuple[Arm, RunSpec]] = []
    declined: dict[tuple[str, str], str] = {}
    numbered: list[tuple[int, RunSpec]] = []
    for cell in cells or []:
        arm = by_stack[cell.stack]
        try:
            points = arm.trials(cell)
        except Unsupported as error:
            declined[cell.task, arm.name] = str(error)
            continue
        found.append((arm, cell))
        numbered += [(number, trial) for number, point in enumerate(points) for trial in point]
    trials = tuple(trial for _, trial in sorted(numbered, key=lambda pair: pair[0]))
    return TuningPlan(tuple(found), declined, trials)


def _arm(text: str, budget: int) -> Arm:
    require(not text.endswith("]"), "technique to tune", text, "a technique or stack, without a label in brackets")
    return Arm(parse_stack(text, TECHNIQUES), budget)
