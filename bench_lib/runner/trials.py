"""The trials of a tuning: points of a technique's space, a run of each with every tuning seed, and the best of them.

Nothing is run or stored here: names and declarations say which trials there are, and a store what came of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import shlex
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import qmc

from bench_lib.core.errors import BadValue, BenchError, Unsupported, require
from bench_lib.core.profiles import find_profile
from bench_lib.core.record import Status
from bench_lib.core.seeds import TRIAL_SEEDS, TUNING_SEEDS
from bench_lib.core.spec import Profile, RunSpec, Scalar, TechniqueSpec
from bench_lib.harness.corrections import corrections_of
from bench_lib.runner.resolved import configured
from bench_lib.stats.search import trial_score
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction
from bench_lib.tasks.find import find_task
from bench_lib.tasks.task import Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack

BUDGET = 16
"""Trainings of the baseline with each tuning seed that the points of an arm may cost, unless another is asked for."""
MOST_POINTS = 1024
WIDEST = 4.0
"""Learning rates are tried from so many times below to so many times above those of the defaults."""
SCALE = "scale_lr"
"""The technique that changes the learning rate."""
DIGITS = 3
"""Significant digits of a factor of the learning rate."""
BITS = 30
"""Binary digits of a coordinate."""
ROUNDING = 1e-9
LABEL = re.compile(r"(.*)\[tuned(?:@(\d{1,9}))?\]")
READ = ("status", "score", "trivial_score", "forward_passes", "backward_passes", "train_seconds")


@dataclass(frozen=True)
class Arm:
    """A stack that is tuned with a budget, such as `llrd+reinit[tuned@16]`."""

    base: Stack
    budget: int

    def __post_init__(self) -> None:
        require(1 <= self.budget <= MOST_POINTS, "budget of a tuning", self.budget, f"1 to {MOST_POINTS:,}")
        for technique in self.base.techniques:
            if technique.pools():
                raise BenchError(
                    f"{technique.name} is not tuned: it pools runs of {technique.pools()} seeds, and a trial has "
                    f"{len(TRIAL_SEEDS)}; tune what it pools"
                )
            require(technique.name != SCALE, "technique to tune", SCALE, "any other: all are tuned by this one")
            label = technique.spec().label
            require(label == technique.name, "technique to tune", label, f"{technique.name}, without settings")

    @property
    def name(self) -> str:
        return "+".join(technique.name for technique in self.base.techniques)

    @property
    def label(self) -> str:
        return f"{self.name}[tuned@{self.budget}]"

    @property
    def text(self) -> str:
        """The base as it is written in options."""
        return "+".join(technique.source or technique.name for technique in self.base.techniques)

    def points(self, task: Task, profile: Profile) -> list[Stack]:
        """The settings to try, the default first, as many as the budget pays for; `Unsupported` if it is declined.

        A point costs the passes that its techniques declare, relative to the baseline's; the first is always tried.
        """
        self.base.check(task.format, profile.trim_vocabulary)
        found = [self.base]
        spent = relative_passes(self.base, profile)
        for point in self._others(task):
            if point in found:
                continue
            spent += relative_passes(point, profile)
            if spent > self.budget + ROUNDING:
                break
            found.append(point)
        return found

    def _others(self, task: Task) -> Iterator[Stack]:
        """The points beside the default; the points of every arm have the same learning rates, in the same order."""
        parts = self.base.techniques
        knobs = [(t.name, field, values) for t in parts for field, values in t.space.items()]
        has_own_rate = any(SCALE in technique.supersedes for technique in parts)
        for rate, *places in coordinates(["rate", *(f"{name}:{field}" for name, field, _ in knobs)], task.name):
            chosen: dict[str, dict[str, Scalar]] = {}
            for (name, field, values), place in zip(knobs, places, strict=True):
                chosen.setdefault(name, {})[field] = values[int(place * len(values))]
            factor = float(f"{WIDEST ** (2 * rate - 1):.{DIGITS}g}")
            scaled = [] if has_own_rate else parse_stack(f"{SCALE}:factor={factor}", TECHNIQUES).techniques
            yield Stack((*(dataclasses.replace(t, **chosen.get(t.name, {})) for t in parts), *scaled))

    def trials(self, cell: RunSpec) -> list[tuple[RunSpec, ...]]:
        """The runs of each point, scored on the dev set: one for each tuning seed. `cell` is any run of the base."""
        task = find_task(cell.task_path or cell.task)
        points = self.points(task, cell.profile)
        trials = [_trial(cell, point.spec(), task) for point in points]
        return [tuple(trial.at(seed) for seed in TRIAL_SEEDS) for trial in trials]

    def tuned(self, best: tuple[TechniqueSpec, ...]) -> tuple[TechniqueSpec, ...]:
        """The stack of a point under the label of the arm, which is part of its identity."""
        scale = dict(best[-1].params) if best[-1].name == SCALE else {"factor": 1.0}
        (last,) = parse_stack(f"{SCALE}:factor={scale['factor']}:budget={self.budget}", TECHNIQUES).spec()
        parts = [dataclasses.replace(part, label=part.name) for part in best if part.name != SCALE]
        return (*parts, dataclasses.replace(last, label=f"[tuned@{self.budget}]"))


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: its dev score, or that of the constant baseline where it failed, and what it cost."""

    status: Status
    score: float
    passes: int
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """The trials of an arm on a task, by point and tuning seed; an outcome is None where a trial is missing or lost."""

    arm: Arm
    trials: Sequence[tuple[RunSpec, ...]]
    outcomes: Sequence[tuple[Outcome | None, ...]]

    @property
    def missing(self) -> int:
        return sum(outcome is None for point in self.outcomes for outcome in point)

    @property
    def finished(self) -> list[Outcome]:
        return [outcome for point in self.outcomes for outcome in point if outcome is not None]

    def scores(self) -> list[float]:
        """The mean dev score of each point over the tuning seeds; NaN for one with a missing trial."""
        return [
            math.nan if None in point else statistics.fmean(outcome.score for outcome in point if outcome is not None)
            for point in self.outcomes
        ]

    def best(self) -> int:
        """The point with the best score of a complete tuning; the first of equals, so that ties go to the default."""
        scores = self.scores()
        return scores.index(max(scores))


def parse_arm(text: str) -> Arm | None:
    """The arm of a label such as `mixout[tuned]` or `mixout[tuned@8]`; None for text without a label."""
    if not text.endswith("]"):
        return None
    found = LABEL.fullmatch(text)
    if found is None:
        raise BadValue("technique", text, f"NAME[tuned@BUDGET], or NAME[tuned] for a budget of {BUDGET}")
    return Arm(parse_stack(found[1], TECHNIQUES), int(found[2] or BUDGET))


def tuning(arm: Arm, cell: RunSpec, stored: Mapping[str, Outcome]) -> Tuning:
    """The trials of an arm for the task and profile of a run of its base; `Unsupported` if they are declined."""
    trials = arm.trials(cell)
    outcomes = [tuple(stored.get(trial.run_id()) for trial in point) for point in trials]
    return Tuning(arm, trials, outcomes)


def tuned_stack(arm: Arm, cell: RunSpec, stored: Mapping[str, Outcome], where: object) -> tuple[TechniqueSpec, ...]:
    """The stack that an arm stands for in a cell: at its default where it is declined, which its runs will say.

    Raises `BenchError` with the command that makes the trials if any is missing.
    """
    scored = cell.profile.scored_on
    require(scored != "dev", "scored_on of the profile of a tuned arm", scored, "the set by which nothing was chosen")
    try:
        known = tuning(arm, cell, stored)
    except Unsupported:
        return arm.tuned(arm.base.spec())
    if known.missing:
        words = ["--techniques", arm.text, "--tasks", cell.task_path or cell.task, "--profile", cell.profile_name]
        words += ["--model", cell.model.name, "--data", cell.data.name, "--budget", str(arm.budget)]
        raise BenchError(
            f"{arm.label} on {cell.task}: {known.missing} of {len(TRIAL_SEEDS) * len(known.trials)} trials "
            f"under profile {cell.profile_name} are missing from {where}; "
            f"{shlex.join(['stabbench', 'tune', *words, '--store', str(where)])} runs them"
        )
    return arm.tuned(known.trials[known.best()][0].stack)


def outcomes(store: Store) -> dict[str, Outcome]:
    """The trials of a store by run id, without those lost to infrastructure."""
    columns = (*KEPT, *READ)
    rows = store.table(Reduction(columns, _trials)).to_pylist()
    return {row["run_id"]: _outcome(row) for row in rows if not Status(row["status"]).lost_to_infrastructure}


def _trials(rows: pa.Table) -> pa.Table:
    first, last = TUNING_SEEDS[0], TUNING_SEEDS[-1]
    return rows.filter(pc.and_(pc.greater_equal(rows["seed"], first), pc.less_equal(rows["seed"], last)))


def _outcome(row: Mapping[str, Any]) -> Outcome:
    status = Status(row["status"])
    score = trial_score(status is Status.CONVERGED, row["score"], row["trivial_score"])
    return Outcome(status, score, max(row["forward_passes"], row["backward_passes"]), row["train_seconds"])


def relative_passes(stack: Stack, profile: Profile) -> float:
    """The passes that a stack declares for a training, relative to the baseline's.

    Forward passes count, or backward ones where there are more: one backward pass may go through several forward ones.
    Training examples that techniques add are not counted, since only the run knows them.
    """
    epochs = configured(profile, stack).epochs
    before = [stack.estimation_passes(), *(t.pretraining_passes(epochs) for t in stack.techniques)]
    return (epochs * max(stack.passes()) + sum(map(max, before))) / profile.epochs


def coordinates(names: Sequence[str], task: str) -> list[list[float]]:
    """Points of the unit cube by Sobol's sequence, one coordinate for each name, with a digital shift for each.

    The shift is hashed from task and name, so that a coordinate is the same whatever others there are, and no generator
    has a part in it.
    """
    plain = qmc.Sobol(len(names), scramble=False, bits=BITS).random_base2(MOST_POINTS.bit_length() - 1)
    shifts = [hashlib.sha256("\x1f".join(["tuning", task, name]).encode()).digest() for name in names]
    moved = (plain * 2**BITS).astype("int64") ^ [int.from_bytes(shift[:8], "big") >> (64 - BITS) for shift in shifts]
    points: list[list[float]] = (moved / 2**BITS).tolist()
    return points


def _trial(cell: RunSpec, stack: tuple[TechniqueSpec, ...], task: Task) -> RunSpec:
    profile = dataclasses.replace(cell.profile, scored_on="dev")
    name = find_profile(cell.profile_name).at({"scored_on": "dev"}).name
    trial = dataclasses.replace(
        cell, stack=stack, seed=TRIAL_SEEDS[0], profile=profile, profile_name=name, frozen=(("subset", 0),)
    )
    return dataclasses.replace(trial, corrections=corrections_of(trial, task.format, task.labels))
