"""The runs of a technique and its baseline on one task, paired by seed."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench_lib.core.errors import BenchError
from bench_lib.core.machine import machine_of
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, canonical_json
from bench_lib.stats.times import time_ratio
from bench_lib.stats.verdict import PairedSamples
from bench_lib.store import Store, kind_of_machine

ByTask = Mapping[str, Mapping[int, RunRecord]]
"""Records by task and seed."""


@dataclass(frozen=True)
class Cost:
    """Time and memory of the technique over those of the baseline, converged runs only; nan where there are none.

    The time is as by `stats.times.time_ratio`, the memory that of the medians.
    """

    time: float
    memory: float


@dataclass(frozen=True, eq=False)
class TaskRuns:
    """The records of technique and baseline on one task, by seed."""

    technique: Mapping[int, RunRecord] = field(default_factory=dict)
    baseline: Mapping[int, RunRecord] = field(default_factory=dict)

    def joined(self, more: TaskRuns) -> TaskRuns:
        """Add the runs of further seeds."""
        return TaskRuns({**self.technique, **more.technique}, {**self.baseline, **more.baseline})

    def samples(self) -> PairedSamples:
        """Scores of the seeds that converged or failed for both, sorted by seed."""
        shared = [seed for seed in sorted(self.technique) if seed in self.baseline]
        pairs = [(self.technique[seed], self.baseline[seed]) for seed in shared]
        valid = [pair for pair in pairs if all(Status(record.status).completed for record in pair)]
        scores = np.array([[_score(record) for record in pair] for pair in valid]).reshape(-1, 2).T
        return PairedSamples(scores[0], scores[1])

    def lost_to_infrastructure(self) -> int:
        """Number of runs lost to infrastructure, technique and baseline together."""
        return sum(
            Status(r.status).lost_to_infrastructure for runs in (self.technique, self.baseline) for r in runs.values()
        )

    def on_unlike_machines(self) -> int:
        """Number of compared seeds whose two runs were made on different kinds of machine."""
        pairs = [(self.technique[seed], self.baseline[seed]) for seed in self.technique if seed in self.baseline]
        compared = [pair for pair in pairs if all(Status(record.status).completed for record in pair)]
        return sum(len({kind_of_machine(record.provenance) for record in pair}) > 1 for pair in compared)

    def decline_reason(self) -> str:
        """Why the technique or the baseline declines the task; empty if neither does."""
        records = [*self.technique.values(), *self.baseline.values()]
        return next((r.reason for r in records if r.status == Status.UNSUPPORTED), "")

    def cost(self) -> Cost:
        return Cost(
            time_ratio(*(_times(runs) for runs in (self.technique, self.baseline))),
            _median_ratio(*(_converged_values(runs, "peak_memory_bytes") for runs in (self.technique, self.baseline))),
        )


@dataclass(frozen=True, eq=False)
class Pair:
    """The cells of a technique and of its baseline, each by a spec with any seed.

    `earlier` has the baseline's runs by seed if they are stored elsewhere and not made.
    """

    technique: RunSpec
    baseline: RunSpec
    earlier: Mapping[int, RunRecord] | None = None

    def specs(self, seeds: Iterable[int]) -> list[RunSpec]:
        """The runs to make, seed by seed."""
        cells = [self.technique] if self.earlier is not None else [self.baseline, self.technique]
        return [dataclasses.replace(cell, seed=seed) for seed in seeds for cell in cells]

    def runs(self, seeds: Sequence[int], records: Mapping[str, RunRecord]) -> TaskRuns | None:
        """The runs of these seeds, given records by id; None if any is missing."""
        made = [records.get(spec.run_id()) for spec in self.specs(seeds)]
        found = [record for record in made if record is not None]
        if len(found) < len(made):
            return None
        if self.earlier is not None:
            return TaskRuns({r.seed: r for r in found}, {seed: self.earlier[seed] for seed in seeds})
        return TaskRuns({r.seed: r for r in found[1::2]}, {r.seed: r for r in found[::2]})

    def ids(self, seed: int) -> list[str]:
        """The ids of the technique's and the baseline's run with a seed."""
        ours, theirs = (dataclasses.replace(cell, seed=seed) for cell in (self.technique, self.baseline))
        return [ours.run_id(), theirs.run_id() if self.earlier is None else self.earlier[seed].run_id]

    def names(self) -> tuple[str, str, str]:
        """The task, the technique and the baseline."""
        return self.technique.task, self.technique.technique(), self.baseline.technique()


def earlier_runs(store: Store, specs: Sequence[RunSpec]) -> ByTask:
    """Stored runs of an earlier version of the specs' technique, by task and seed.

    Technique name and parameters, data, model and profile must match the specs; version, file hash and seed may
    differ. Runs lost to infrastructure are left out. If the store only holds the current version, its runs are
    returned; several earlier versions raise `BenchError`.
    """
    identities = [canonical_json(spec.identity()) for spec in specs]
    current = {_identity_without_version(text): technique_versions(text) for text in identities}
    valid = [record for record in store.records() if not Status(record.status).lost_to_infrastructure]
    matching = [record for record in valid if _identity_without_version(record.spec) in current]
    earlier = [r for r in matching if technique_versions(r.spec) != current[_identity_without_version(r.spec)]]
    versions = sorted({technique_versions(record.spec) for record in earlier})
    if len(versions) > 1:
        raise BenchError(
            f"{store.root} holds several versions of the technique, {', '.join(versions)}; give a store that holds one"
        )
    return by_task(earlier or matching)


def nearest_difference(store: Store, specs: Sequence[RunSpec], shown: int = 3) -> str:
    """In what the nearest stored run of the technique differs from these; empty where there is none that does."""
    found = []
    for spec in specs:
        here = _parts(canonical_json(spec.identity()))
        for record in store.records():
            there = _parts(record.spec)
            names = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
            if names and record.task == spec.task and here["technique"] == there["technique"]:
                found.append([f"{n} ({there.get(n, 'none')} there, {here.get(n, 'none')} here)" for n in names])
    if not found:
        return ""
    nearest = min(found, key=len)
    more = [f"{len(nearest) - shown} more"] if len(nearest) > shown else []
    return f"the nearest runs of it differ in {', '.join(nearest[:shown] + more)}"


def _parts(spec: str) -> dict[str, object]:
    """What `earlier_runs` compares of a run, by the names that a user knows."""
    identity = json.loads(spec)
    plain: dict[str, object] = {
        name: identity.get(name) for name in ("data", "model", "frozen", "corrections", "also", "protocol", "task")
    }
    settings = {f"{name}:{key}": value for name, params, _ in identity["stack"] for key, value in params.items()}
    return {**plain, **identity["profile"], **settings, "technique": [part[0] for part in identity["stack"]]}


def by_task(records: Collection[RunRecord]) -> ByTask:
    """Records by task and seed."""
    tasks: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda r: (r.task, r.seed)):
        tasks.setdefault(record.task, {})[record.seed] = record
    return tasks


def _identity_without_version(spec: str) -> str:
    """A run's identity without its seed and its techniques' versions, as canonical JSON."""
    identity = json.loads(spec)
    return canonical_json(identity | {"seed": None, "stack": [part[:2] for part in identity["stack"]]})


def technique_versions(spec: str) -> str:
    """The versions of a run's techniques, joined by `+`."""
    return "+".join(str(part[2]) for part in json.loads(spec)["stack"])


def _score(record: RunRecord) -> float:
    """The score of a converged run; nan for a failed one."""
    return float(record.score) if record.status == Status.CONVERGED and record.score is not None else math.nan


def _converged_values(runs: Mapping[int, RunRecord], name: str) -> list[float]:
    values = [record.columns()[name] for record in runs.values() if record.status == Status.CONVERGED]
    return [float(value) for value in values if value is not None]


def _times(runs: Mapping[int, RunRecord]) -> list[tuple[str, float]]:
    converged = (record for record in runs.values() if record.status == Status.CONVERGED)
    return [(machine_of(record.provenance), record.timing.train_seconds) for record in converged]


def _median_ratio(technique: Sequence[float], baseline: Sequence[float]) -> float:
    if not technique or not baseline or statistics.median(baseline) <= 0:
        return math.nan
    return statistics.median(technique) / statistics.median(baseline)
