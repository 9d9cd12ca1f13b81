"""The record of a run, from whatever its attempt has when it ends."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from bench_lib.core.errors import BenchError
from bench_lib.core.record import (
    Cost,
    Evaluations,
    Latency,
    ModelSize,
    Robustness,
    RunRecord,
    Status,
    Timing,
    TrainingCurve,
)
from bench_lib.core.spec import RunSpec, canonical_json
from bench_lib.executors.base import Done
from bench_lib.harness.efficiency import Footprint
from bench_lib.harness.ending import ending
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.loop import Loop
from bench_lib.harness.observers import NOTHING, ObserverRun, Progress
from bench_lib.harness.pretraining import RunPretraining
from bench_lib.instruments.memory import PeakMemory
from bench_lib.models import MODELS
from bench_lib.models.pretrained import Pretrained
from bench_lib.models.source import display_name
from bench_lib.models.wrapped import parameter_count
from bench_lib.runner.resolved import spec_data
from bench_lib.tasks.task import Data
from bench_lib.techniques.interface.context import Training

Ending = tuple[Status, str]
"""A status and its reason."""


@dataclass(eq=False)
class Attempt:
    """Intermediate results of a group of runs, kept up to the point of a failure."""

    device: torch.device
    memory: PeakMemory
    started: float = field(default_factory=time.perf_counter)
    setup_seconds: float = 0.0
    ending: Ending = (Status.CONVERGED, "")
    constant_baseline: float | None = None
    training: Training | None = None
    pretrained: Pretrained | None = None
    stage: RunPretraining | None = None
    loop: Loop | None = None
    observer_runs: list[ObserverRun] = field(default_factory=list)
    size: ModelSize = field(default_factory=ModelSize)

    def record(self, spec: RunSpec, data: Data, observed: ObserverRun | None, facts: Mapping[str, str]) -> RunRecord:
        """The record of one of the runs; an observer run that stopped early counts only the steps up to there."""
        end = self.ending
        if observed is not None and not observed.running:
            # What happened to the training later does not concern it.
            end = ending(observed.failed) if observed.failed else (Status.CONVERGED, "")
        counted = observed.selected if observed is not None and end[0] is Status.CONVERGED else None
        found = (counted and counted.footprint) or Footprint(self.size, Latency())
        reached = self._reached(observed)
        return dataclasses.replace(
            scored_record(spec, data, end, counted, self.constant_baseline),
            cost=self._cost(reached),
            curve=self._curve(reached.steps),
            size=found.size,
            reported=dict(reached.reported),
            evaluations=_evaluations(observed) if observed else Evaluations(),
            timing=self._timing(observed, reached, found.latency),
            provenance=facts,
            weights=self._weights() if counted and spec.keep_weights else None,
        )

    def _reached(self, observed: ObserverRun | None) -> Progress:
        """How far the training was when the observer run stopped or the attempt ended, with the cost of all stages."""
        if self.loop is not None:
            return (observed and observed.stopped) or self.loop.progress()
        return NOTHING if self.stage is None else self.stage.progress()

    def _cost(self, reached: Progress) -> Cost:
        cost = Cost(
            tokens=reached.tokens,
            forward_passes=reached.forward_passes,
            backward_passes=reached.backward_passes,
        )
        if self.loop is None:
            return cost
        training = self.loop.training
        return dataclasses.replace(
            cost,
            steps=len(self.loop.curve.loss[: reached.steps]),
            examples=reached.examples,
            parameters=parameter_count(training.model),
            trainable_parameters=sum(p.numel() for p in training.trainable().values()),
        )

    def _curve(self, steps: int) -> TrainingCurve:
        if self.loop is None:
            return TrainingCurve()
        curve = self.loop.curve
        norms = tuple(curve.grad_norm[:steps])
        return TrainingCurve(
            loss=tuple(curve.loss[:steps]),
            learning_rate=tuple(curve.learning_rate[:steps]),
            grad_norm=norms,
            grad_norm_first=tuple(curve.grad_norm_first[:steps]),
            grad_norm_last=tuple(curve.grad_norm_last[:steps]),
            grad_norm_max=max(filter(math.isfinite, norms), default=None),
            clipped_steps=sum(curve.clipped[:steps]),
            nonfinite_steps=sum(curve.skipped[:steps]),
        )

    def _timing(self, observed: ObserverRun | None, reached: Progress, latency: Latency) -> Timing:
        throughput = self.loop.throughput if self.loop else None
        return Timing(
            setup_seconds=self.setup_seconds,
            train_seconds=reached.seconds + (observed.own.seconds if observed else 0.0),
            eval_seconds=observed.evaluating.seconds if observed else 0.0,
            tokens_per_second=throughput.tokens_per_second() if throughput else None,
            examples_per_second=throughput.examples_per_second() if throughput else None,
            latency=latency,
            peak_memory_bytes=self.memory.peak(),
        )

    def _weights(self) -> dict[str, np.ndarray] | None:
        if self.training is None:
            return None
        named, trimmed = self.training.model.named_parameters(), self.training.trimmed
        weights = {name: self.training.exact(name, p).cpu() for name, p in named}
        return {name: value.numpy() for name, value in (trimmed.filled(weights) if trimmed else weights).items()}


def _evaluations(run: ObserverRun) -> Evaluations:
    return Evaluations(tuple(run.steps), tuple(run.scores), tuple(run.dev_scores))


def records_of(done: Done[tuple[RunSpec, ...], list[RunRecord]], earlier: Mapping[str, int]) -> Iterator[RunRecord]:
    """The records of a finished group; for a failed job, one timeout or crashed record for each run.

    `earlier` are the attempts that runs had before this job.
    """
    if done.result is not None:
        records = done.result
    elif done.failure is None:
        raise BenchError("an executor gave neither a result nor a failure")
    else:
        status = Status.TIMEOUT if done.failure.kind == "timeout" else Status.CRASHED
        records = [blank_record(spec, status, done.failure.message) for spec in done.job]
    for record in records:
        yield dataclasses.replace(record, attempts=done.attempts + earlier.get(record.run_id, 0))


def blank_record(spec: RunSpec, status: Status, reason: str) -> RunRecord:
    """A record with status and reason only, without any measurement."""
    return scored_record(spec, spec_data(spec), (status, reason))


def scored_record(
    spec: RunSpec, data: Data, end: Ending, found: Scored | None = None, baseline: float | None = None
) -> RunRecord:
    """A record with the score, if any: `collapsed` if it was trained for and is not above the constant baseline."""
    status, reason = end
    if found is not None and baseline is not None and spec.profile.trains and found.primary <= baseline:
        why = f"score {found.primary:.4f} is not above what a constant predictor reaches, {baseline:.4f}"
        status, reason = Status.COLLAPSED, "; ".join(filter(None, (why, reason)))
    return RunRecord(
        run_id=spec.run_id(),
        training_id=spec.training_id(),
        task=spec.task,
        technique=spec.technique(),
        model=display_name(spec.model, MODELS),
        profile=spec.profile_name,
        data_source=data.source,
        seed=spec.seed,
        spec=canonical_json(spec.identity()),
        status=status.value,
        reason=reason,
        metric=data.task.primary,
        score=found.primary if found else None,
        constant_baseline=baseline,
        metrics={**found.metrics, **found.also} if found else {},
        drift=found.drift if found else (),
        robustness=Robustness(found.robust, found.adversarial) if found else Robustness(),
        predictions=found.predictions if found else None,
    )
