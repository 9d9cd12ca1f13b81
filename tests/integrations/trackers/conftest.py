from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.record import Evaluations, RunRecord, Status, TrainingCurve
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.store import Store

Make = Callable[..., RunRecord]


@pytest.fixture
def make() -> Make:
    """A record with a curve of three steps, the last of which is not finite if the run diverged."""

    def made(
        seed: int = 0, status: Status = Status.CONVERGED, attempts: int = 1, technique: str = "mixout"
    ) -> RunRecord:
        stack = (TechniqueSpec(technique, (("p", 0.9),)),)
        spec = RunSpec("rte", "1", Ref("local", "data0"), stack, Ref("minilm", "weights0"), Profile(), seed, "desk")
        last = math.nan if status is Status.DIVERGED else 0.5
        return RunRecord(
            run_id=spec.run_id(),
            training_id=spec.run_id(),
            task=spec.task,
            technique=technique,
            model="minilm",
            profile="desk",
            data_source="local",
            seed=seed,
            spec=canonical_json(spec.identity()),
            status=str(status),
            attempts=attempts,
            metric="accuracy",
            score=None if status is Status.DIVERGED else 0.75,
            constant_baseline=0.5,
            metrics={"accuracy": 0.75, "f1": 0.7},
            curve=TrainingCurve(loss=(0.7, 0.6, last), learning_rate=(1e-5, 2e-5, 1e-5), grad_norm=(1.0, 2.0, last)),
            evaluations=Evaluations((2, 3), (0.6, 0.75)),
            provenance={"torch": "2.13.0", "started": "2026-01-02T03:04:05+00:00"},
        )

    return made


@pytest.fixture
def store(tmp_path: Path, make: Make) -> Store:
    """Two runs that converged and one that diverged."""
    filled = Store(tmp_path / "store")
    for record in (make(0), make(1), make(2, Status.DIVERGED)):
        filled.append(record)
    return filled
