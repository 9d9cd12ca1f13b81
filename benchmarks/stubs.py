"""Runs that sleep in place of training: all else of a sweep is as ever. Worker processes import this by its name."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Sequence

import numpy as np

from bench_lib.core.record import Predictions, RunRecord, Status, TrainingCurve
from bench_lib.core.spec import RunSpec
from bench_lib.runner import sweep
from bench_lib.runner.records import blank_record
from bench_lib.runner.shards import Shard

STEPS, EVALUATED = 96, 872
"""Optimiser steps and evaluated sentences of a run, as of sst2 under the profile desk: what a record holds of them."""

_work_off = sweep.work_off


def execute(specs: Sequence[RunSpec], seconds: float) -> list[RunRecord]:
    """Sleep, and return a record for each spec that says by the clock when it was made."""
    time.sleep(seconds)
    return [_record(spec) for spec in specs]


def work_off(shard: Shard, seconds: float) -> None:
    """Where a job of a cluster is: make the runs of its shard by sleeping."""
    # A job is a process of its own, which what the driver replaced does not reach.
    sweep.execute = functools.partial(execute, seconds=seconds)
    _work_off(shard)


def _record(spec: RunSpec) -> RunRecord:
    draws = np.random.default_rng(spec.seed)
    logits = draws.normal(size=(EVALUATED, 2)).astype(np.float32)
    norms = tuple(draws.random(STEPS).tolist())
    return dataclasses.replace(
        blank_record(spec, Status.CONVERGED, ""),
        score=0.75,
        constant_baseline=0.5,
        metrics={"accuracy": 0.75},
        curve=TrainingCurve(loss=norms, learning_rate=norms, grad_norm=norms, grad_norm_max=max(norms)),
        predictions=Predictions(logits),
        provenance={"ended": repr(time.time())},
    )
