"""How far a plan is: what its store holds, how fast runs come, and how long the rest will take."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench_lib.core.record import Status
from bench_lib.core.spec import RunSpec
from bench_lib.runner.limits import HOUR
from bench_lib.runner.progress import named
from bench_lib.store import Store, claimed
from bench_lib.store.parquet import KEPT, Reduction

WINDOW = timedelta(hours=6)
"""Time before now, or before the last run ended, over which the rate is computed."""
LATEST = 10
"""Trainings of a cell by which the time of the next ones is estimated: its latest, since machines differ."""
SECONDS = ("setup_seconds", "train_seconds", "eval_seconds")
COLUMNS = (*KEPT, "training_id", "status", *SECONDS, "provenance")

Cell = tuple[str, ...]
"""Task, profile and technique of a training."""


@dataclass(frozen=True)
class PartStatus:
    """A sweep or contrasts of a plan, or all of it: number of runs, of stored ones by status, and seconds.

    `seconds` is the median of a run by itself, `seconds_left` what the trainings that are left take one after another;
    None where no stored run tells.
    """

    name: str
    runs: int
    statuses: Counter[str]
    seconds: float | None
    seconds_left: float | None

    @property
    def done(self) -> int:
        return self.statuses.total()

    @property
    def left(self) -> int:
        return self.runs - self.done


@dataclass(frozen=True)
class PlanStatus:
    """The parts of a plan and all of it, the trainings that run now, and the runs an hour of the last hours."""

    parts: tuple[PartStatus, ...]
    whole: PartStatus
    running: tuple[str, ...]
    rate: float | None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all is done, with as many trainings at a time as run now."""
        seconds = self.whole.seconds_left
        return None if seconds is None else seconds / max(1, len(self.running))


@dataclass(frozen=True)
class _Planned:
    """A planned run; its ids are computed once."""

    spec: RunSpec
    run_id: str
    training_id: str
    cell: Cell

    @classmethod
    def of(cls, spec: RunSpec) -> _Planned:
        training = spec.training()
        return cls(spec, spec.run_id(), training.run_id(), (spec.task, spec.profile_name, training.technique()))


@dataclass(frozen=True)
class _Stored:
    """A stored run; `started` is None where the record has no date."""

    status: str
    setup: float
    train: float
    evaluation: float
    started: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> _Stored:
        started = None
        with suppress(KeyError, ValueError):
            date = datetime.fromisoformat(row["provenance"]["started"])
            started = date if date.tzinfo else date.replace(tzinfo=UTC)
        setup, train, evaluation = (row[name] for name in SECONDS)
        return cls(row["status"], setup, train, evaluation, started)

    @property
    def seconds(self) -> float:
        return self.setup + self.train + self.evaluation


def plan_status(parts: Mapping[str, Sequence[RunSpec]], store: Store, now: datetime) -> PlanStatus:
    """The status of the parts of a plan; reads the store and changes nothing, also while it is filled."""
    known = _Known.of(parts, store)
    everything = [*known.everything.values()]
    running = _running(everything, known.stored, claimed(store.root))
    rate = _rate(known.stored.values(), now if running else None)
    return PlanStatus(*known.parts(), running, rate)


def part_statuses(parts: Mapping[str, Sequence[RunSpec]], store: Store) -> tuple[tuple[PartStatus, ...], PartStatus]:
    """The parts of a plan and all of it, from the stored runs alone: the same runs give the same."""
    return _Known.of(parts, store).parts()


@dataclass(frozen=True)
class _Known:
    """The planned runs of each part and of all, by id, and those of them that are stored."""

    planned: Mapping[str, Sequence[_Planned]]
    everything: Mapping[str, _Planned]
    stored: Mapping[str, _Stored]

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[RunSpec]], store: Store) -> _Known:
        planned = {name: [_Planned.of(spec) for spec in specs] for name, specs in parts.items()}
        everything = {run.run_id: run for runs in planned.values() for run in runs}
        rows = store.table(Reduction(COLUMNS, lambda table: table)).to_pylist(maps_as_pydicts="strict")
        stored = {row["run_id"]: _Stored.of(row) for row in rows if row["run_id"] in everything}
        return cls(planned, everything, stored)

    def parts(self) -> tuple[tuple[PartStatus, ...], PartStatus]:
        typical = _typical_seconds(self.everything, self.stored)
        found = tuple(_part(name, runs, self.stored, typical) for name, runs in self.planned.items())
        return found, _part("in all", [*self.everything.values()], self.stored, typical)


def _part(
    name: str, runs: Sequence[_Planned], stored: Mapping[str, _Stored], typical: Mapping[Cell, float]
) -> PartStatus:
    known = [stored[run.run_id] for run in runs if run.run_id in stored]
    seconds = [run.seconds for run in known if Status(run.status).completed]
    # Seed ensembles train nothing.
    left = {run.training_id: run.cell for run in runs if run.run_id not in stored and not run.spec.pools()}
    estimates = [_estimate(cell, typical) for cell in left.values()]
    return PartStatus(
        name,
        len(runs),
        Counter(run.status for run in known),
        statistics.median(seconds) if seconds else None,
        None if None in estimates else sum(filter(None, estimates)),
    )


def _typical_seconds(planned: Mapping[str, _Planned], stored: Mapping[str, _Stored]) -> dict[Cell, float]:
    """Median seconds of the latest trainings with their observers: of each cell, and of each beginning of a cell."""
    trainings: dict[tuple[Cell, str], list[_Stored]] = defaultdict(list)
    for run_id, run in stored.items():
        if Status(run.status).completed and not planned[run_id].spec.pools():
            trainings[planned[run_id].cell, planned[run_id].training_id].append(run)
    dated = sorted(trainings.items(), key=lambda item: max(str(run.started or "") for run in item[1]))
    seconds: dict[Cell, list[float]] = defaultdict(list)
    for (cell, _), runs in dated:
        whole = max(run.setup for run in runs) + max(run.train for run in runs) + sum(run.evaluation for run in runs)
        for length in range(len(cell) + 1):
            seconds[cell[:length]].append(whole)
    return {cell: statistics.median(values[-LATEST:]) for cell, values in seconds.items()}


def _estimate(cell: Cell, typical: Mapping[Cell, float]) -> float | None:
    """The seconds of a training by the nearest trainings that are stored."""
    return next((typical[cell[:n]] for n in range(len(cell), -1, -1) if cell[:n] in typical), None)


def _running(planned: Sequence[_Planned], stored: Mapping[str, _Stored], claims: frozenset[str]) -> tuple[str, ...]:
    """The trainings, and the seed ensembles, that some process is at."""
    groups: dict[str, list[RunSpec]] = defaultdict(list)
    for run in planned:
        name = run.run_id if run.spec.pools() else run.training_id
        if name in claims and run.run_id not in stored:
            groups[name].append(run.spec)
    return tuple(map(named, groups.values()))


def _rate(runs: Iterable[_Stored], now: datetime | None) -> float | None:
    """Runs an hour in the last hours before now, or before the last run ended; None without any date."""
    dated = [(run.started, run.started + timedelta(seconds=run.seconds)) for run in runs if run.started is not None]
    if not dated:
        return None
    last = now or max(end for _, end in dated)
    first = max(last - WINDOW, min(start for start, _ in dated))
    seconds = (last - first).total_seconds()
    return sum(first < end <= last for _, end in dated) * HOUR / seconds if seconds > 0 else None
