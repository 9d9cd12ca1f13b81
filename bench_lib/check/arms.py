"""The runs of a technique and of its baseline on one task, seed by seed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench_lib.errors import BenchError
from bench_lib.spec import RunRecord, RunSpec, Status, canonical_json
from bench_lib.stats.verdict import Arms
from bench_lib.store import Store


@dataclass(frozen=True)
class Cost:
    """Medians over the converged runs of the technique over those of the baseline; nan where there are none."""

    time: float
    memory: float


@dataclass(frozen=True, eq=False)
class TaskRuns:
    """Both arms' records on one task, by seed."""

    technique: Mapping[int, RunRecord]
    baseline: Mapping[int, RunRecord]

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


@dataclass(frozen=True, eq=False)
class Source:
    """Where the baseline's runs come from: the store that is filled, or an older one that is only read.

    In an older one they are those of the technique of the same name and parameters, whatever its version or its file's
    text was, with the same data, model, settings and seeds.
    """

    store: Store
    older: bool = False

    def runs(self, specs: Sequence[RunSpec]) -> dict[str, dict[int, RunRecord]]:
        """The records of the specs, by task and seed; several versions in an older store raise `BenchError`."""
        if not self.older:
            return by_task(self.store.records([spec.run_id() for spec in specs]))
        wanted = {_unversioned(canonical_json(spec.identity())) for spec in specs}
        found = [record for record in self.store.records() if _unversioned(record.spec) in wanted]
        versions = sorted({_versions(record.spec) for record in found})
        if len(versions) > 1:
            raise BenchError(
                f"{self.store.root} holds several versions of the technique: {', '.join(versions)}; give one"
            )
        return by_task(found)


def by_task(records: Collection[RunRecord]) -> dict[str, dict[int, RunRecord]]:
    """Records by task and seed."""
    tasks: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda r: (r.task, r.seed)):
        tasks.setdefault(record.task, {})[record.seed] = record
    return tasks


def _unversioned(spec: str) -> str:
    """A run's identity without the versions of its techniques."""
    identity = json.loads(spec)
    return canonical_json(identity | {"stack": [part[:2] for part in identity["stack"]]})


def _versions(spec: str) -> str:
    return "+".join(str(part[2]) for part in json.loads(spec)["stack"])


def _score(record: RunRecord) -> float:
    """The score of a run that converged; nan for one that failed."""
    return float(record.score) if record.status == Status.CONVERGED and record.score is not None else math.nan


def _converged(arm: Mapping[int, RunRecord], field: str) -> list[float]:
    values = [getattr(record, field) for record in arm.values() if record.status == Status.CONVERGED]
    return [float(value) for value in values if value is not None]


def _ratio(arms: Sequence[Sequence[float]]) -> float:
    ours, theirs = arms
    if not ours or not theirs or statistics.median(theirs) <= 0:
        return math.nan
    return statistics.median(ours) / statistics.median(theirs)
