"""How far a plan is: what its store holds, how fast runs come, and how long the rest will take."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bench_lib.plans.stored import Cell, Known, Seeds
from bench_lib.plans.times import estimated, rate, typical_seconds
from bench_lib.runner.cells import CellRuns
from bench_lib.runner.progress import named
from bench_lib.store import Store, claimed

BLOCK = 64
"""Seeds of a cell at a time among which those that run are looked for: they are mostly the first that are left."""
ID = re.compile("[0-9a-f]{20}")


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


def plan_status(parts: Mapping[str, Sequence[CellRuns]], store: Store, now: datetime) -> PlanStatus:
    """The status of the parts of a plan; reads the store and changes nothing, also while it is filled."""
    known = Known.of(parts, store)
    running = _running(known, claimed(store.root))
    rows = known.rows_of(known.whole)
    found = rate(known.rows.started[rows], known.rows.seconds[rows], now if running else None)
    return PlanStatus(*_statuses(known), running, found)


def part_statuses(parts: Mapping[str, Sequence[CellRuns]], store: Store) -> tuple[tuple[PartStatus, ...], PartStatus]:
    """The parts of a plan and all of it, from the stored runs alone: the same runs give the same."""
    return _statuses(Known.of(parts, store))


def _statuses(known: Known) -> tuple[tuple[PartStatus, ...], PartStatus]:
    typical = typical_seconds(known)
    found = tuple(_part(name, seeds, known, typical) for name, seeds in known.parts.items())
    return found, _part("in all", known.whole, known, typical)


def _part(name: str, seeds: Seeds, known: Known, typical: Mapping[Cell, float]) -> PartStatus:
    rows = known.rows_of(seeds)
    seconds = known.rows.seconds[rows][known.rows.completed[rows]]
    return PartStatus(
        name,
        sum(map(len, seeds.values())),
        Counter(known.rows.statuses[rows].tolist()),
        float(np.median(seconds)) if len(seconds) else None,
        _seconds_left(known.left(seeds), known, typical),
    )


def _seconds_left(left: Seeds, known: Known, typical: Mapping[Cell, float]) -> float | None:
    """The seconds of the trainings that are left; None where one is of a kind that no stored run tells of."""
    trainings: dict[str, list[np.ndarray]] = defaultdict(list)
    names: dict[str, Cell] = {}
    for key, seeds in left.items():
        cell = known.cells[key]
        # Seed ensembles train nothing.
        if len(seeds) and not cell.spec.pools():
            trainings[cell.training].append(seeds)
            names[cell.training] = cell.names
    numbers = {training: len(_all_seeds(seeds)) for training, seeds in trainings.items()}
    estimates = {training: estimated(names[training], typical) for training in numbers}
    found = [None if (each := estimates[one]) is None else number * each for one, number in numbers.items()]
    return None if None in found else float(sum(filter(None, found)))


def _all_seeds(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The seeds of several cells, each once; those of a cell are each there once already."""
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))


def _running(known: Known, claims: frozenset[str]) -> tuple[str, ...]:
    """The trainings, and the seed ensembles, that some process is at."""
    sought = {name for name in claims if ID.fullmatch(name)}
    left = known.left(known.whole)
    sharing: dict[str, list[str]] = defaultdict(list)
    for key, cell in known.cells.items():
        sharing[key if cell.spec.pools() else cell.training].append(key)
    seeds = {one: _all_seeds([left[key] for key in keys]) for one, keys in sharing.items()}
    found: dict[str, tuple[int, str]] = {}
    for first in range(0, max(map(len, seeds.values()), default=0), BLOCK):
        if len(found) == len(sought):
            break
        for one, keys in sharing.items():
            spec, block = known.cells[keys[0]].spec, seeds[one][first : first + BLOCK].tolist()
            ids = spec.run_ids(block) if spec.pools() else spec.training_ids(block)
            found |= {name: (seed, one) for name, seed in zip(ids, block, strict=True) if name in sought}
    return tuple(
        named([known.cells[key].spec.at(seed) for key in sharing[one] if seed in left[key]])
        for seed, one in sorted(found.values(), key=lambda place: place[0])
    )
