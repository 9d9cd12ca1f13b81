"""The runs of a technique and of its baseline on one task, seed by seed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, canonical_json
from bench_lib.stats.verdict import Arms
from bench_lib.store import Store

ByTask = Mapping[str, Mapping[int, RunRecord]]
"""Records by task and seed."""


@dataclass(frozen=True)
class Cost:
    """Medians over the converged runs of the technique over those of the baseline; nan where there are none."""

    time: float
    memory: float


@dataclass(frozen=True, eq=False)
class TaskRuns:
    """Both arms' records on one task, by seed."""

    technique: Mapping[int, RunRecord] = field(default_factory=dict)
    baseline: Mapping[int, RunRecord] = field(default_factory=dict)

    def joined(self, more: TaskRuns) -> TaskRuns:
        """These runs and those of more seeds."""
        return TaskRuns({**self.technique, **more.technique}, {**self.baseline, **more.baseline})

    def arms(self) -> Arms:
        """The scores of the seeds that are judged in both arms, in the order of the seeds."""
        shared = [seed for seed in sorted(self.technique) if seed in self.baseline]
        pairs = [(self.technique[seed], self.baseline[seed]) for seed in shared]
        judged = [pair for pair in pairs if all(Status(record.status).judged for record in pair)]
        scores = np.array([[_score(record) for record in pair] for pair in judged]).reshape(-1, 2).T
        return Arms(scores[0], scores[1])

    def lost(self) -> int:
        """Runs that the machine lost, in either arm."""
        return sum(Status(r.status).lost for arm in (self.technique, self.baseline) for r in arm.values())

    def declined(self) -> str:
        """Why the technique or the baseline declines the task, or nothing."""
        records = [*self.technique.values(), *self.baseline.values()]
        return next((r.reason for r in records if r.status == Status.UNSUPPORTED), "")

    def cost(self) -> Cost:
        return Cost(
            _ratio([_converged(arm, "train_seconds") for arm in (self.technique, self.baseline)]),
            _ratio([_converged(arm, "peak_memory_bytes") for arm in (self.technique, self.baseline)]),
        )


def earlier_runs(store: Store, specs: Sequence[RunSpec]) -> ByTask:
    """What a store holds of a technique in an earlier version than that of the specs, by task and seed.

    The technique is known by its name and parameters, whatever its version or its file's text was; data, model and
    settings are those of the specs, seeds any; runs that the machine lost are left out. Where the store holds no
    version but today's, it is that. Several earlier ones raise `BenchError`.
    """
    wanted = {_known_by(text): versions(text) for text in (canonical_json(spec.identity()) for spec in specs)}
    kept = [record for record in store.records() if not Status(record.status).lost]
    found = [record for record in kept if _known_by(record.spec) in wanted]
    earlier = [record for record in found if versions(record.spec) != wanted[_known_by(record.spec)]]
    several = sorted({versions(record.spec) for record in earlier})
    if len(several) > 1:
        raise BenchError(
            f"{store.root} holds several versions of the technique, {', '.join(several)}; give a store that holds one"
        )
    return by_task(earlier or found)


def by_task(records: Collection[RunRecord]) -> ByTask:
    """Records by task and seed."""
    tasks: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda r: (r.task, r.seed)):
        tasks.setdefault(record.task, {})[record.seed] = record
    return tasks


def _known_by(spec: str) -> str:
    """A run's identity without its seed and the versions of its techniques."""
    identity = json.loads(spec)
    return canonical_json(identity | {"seed": None, "stack": [part[:2] for part in identity["stack"]]})


def versions(spec: str) -> str:
    """The versions of the techniques of a run's identity, as text."""
    return "+".join(str(part[2]) for part in json.loads(spec)["stack"])


def _score(record: RunRecord) -> float:
    """The score of a run that converged; nan for one that failed."""
    return float(record.score) if record.status == Status.CONVERGED and record.score is not None else math.nan


def _converged(arm: Mapping[int, RunRecord], name: str) -> list[float]:
    values = [getattr(record, name) for record in arm.values() if record.status == Status.CONVERGED]
    return [float(value) for value in values if value is not None]


def _ratio(arms: Sequence[Sequence[float]]) -> float:
    ours, theirs = arms
    if not ours or not theirs or statistics.median(theirs) <= 0:
        return math.nan
    return statistics.median(ours) / statistics.median(theirs)
