"""Executors that hand out scores instead of training, for comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Done
from bench_lib.runner.records import blank_record

World = Callable[[RunSpec], RunRecord]


@dataclasses.dataclass
class Told:
    """An executor that answers each run from a world, and remembers which it was asked for."""

    world: World
    asked: list[RunSpec] = dataclasses.field(default_factory=list)

    def run(self, function: object, jobs: Sequence[tuple[RunSpec, ...]]) -> Iterator[Done]:
        for job in jobs:
            self.asked += job
            yield Done(job, [self.world(spec) for spec in job])

    def seeds(self, task: str, technique: str) -> list[int]:
        return sorted(spec.seed for spec in self.asked if (spec.task, spec.technique()) == (task, technique))


def scored(spec: RunSpec, score: float, seconds: float = 10.0) -> RunRecord:
    record = blank_record(spec, Status.CONVERGED, "")
    return record.changed({"score": score, "train_seconds": seconds, "peak_memory_bytes": 2**20})


def noise(spec: RunSpec) -> float:
    """A number for each technique, task and seed, whatever else was asked for."""
    return float(np.random.default_rng([spec.seed, *map(ord, spec.technique() + spec.task)]).normal())


def spread(**widths: float) -> World:
    """Scores around 0.8 with a standard deviation of 0.01 times the technique's width."""
    return lambda spec: scored(spec, 0.8 + 0.01 * widths.get(spec.technique(), 1.0) * noise(spec))


def failing(**rates: float) -> World:
    """Of ten seeds in a row the first so many collapse."""

    def world(spec: RunSpec) -> RunRecord:
        if spec.seed % 10 < 10 * rates.get(spec.technique(), 0.0):
            return blank_record(spec, Status.COLLAPSED, "no better than a constant")
        return spread()(spec)

    return world
