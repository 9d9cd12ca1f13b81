from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.core.record import LATENCIES, Predictions, RunRecord
from bench_lib.core.spec import canonical_json, digest
from bench_lib.store import Store
from bench_lib.store.files import stage
from bench_lib.store.schema import PREDICTIONS, RUNS, predictions_table, to_table


def make_record(seed: int = 0, **changes: Any) -> RunRecord:
    """A run with every field filled, whose id is the digest of its spec."""
    identity = {"task": changes.get("task", "sst2"), "technique": changes.get("technique", "adamw"), "seed": seed}
    values = np.random.default_rng(seed).normal(size=(6, 2)).astype(np.float32)
    fields: dict[str, Any] = {
        "run_id": digest(identity),
        "training_id": digest(identity),
        "task": "sst2",
        "technique": "adamw",
        "model": "tiny",
        "profile": "smoke",
        "data_source": "embedded",
        "seed": seed,
        "spec": canonical_json(identity),
        "status": "converged",
        "reason": "",
        "metric": "accuracy",
        "score": 0.5 + seed / 1000,
        "trivial_score": 0.5,
        "metrics": {"f1": 0.25, "accuracy": 0.5 + seed / 1000},
        "steps": 3,
        "tokens": 1234,
        "examples": 48,
        "parameters": 10**9,
        "trainable_parameters": 7,
        "forward_passes": 3,
        "backward_passes": 3,
        "curve_loss": (0.7, 0.6, 0.5),
        "curve_learning_rate": (1e-5, 2e-5, 0.0),
        "curve_grad_norm": (1.0, 2.0, 3.0),
        "curve_grad_norm_first": (0.5, 1.0, 1.5),
        "curve_grad_norm_last": (0.25, 0.5, 0.75),
        "grad_norm_max": 3.0,
        "clipped_steps": 2,
        "nonfinite_steps": 0,
        "drift": (0.0, 0.125),
        "robust_score": 0.4375,
        "adversarial_score": 0.25,
        "saved_bytes": 2**33,
        "uncompressed_bytes": 2**34,
        "sparsity": 0.5,
        "reported": {"dedupe.removed": 3.0, "adalora.rank": 1.5},
        "eval_step": (1, 3),
        "eval_score": (0.4, 0.5),
        "setup_seconds": 0.1,
        "train_seconds": 1.5,
        "eval_seconds": 0.2,
        "tokens_per_second": 800.0,
        "examples_per_second": 32.0,
        **{name: 0.001 * (place + 1) for place, name in enumerate(LATENCIES)},
        "peak_memory_bytes": 2**40,
        "provenance": {"torch": "2.13.0", "host": "désert"},
        "predictions": Predictions(values),
    }
    return RunRecord.of({**fields, **changes})


def write_row(store: Store, record: RunRecord, path: Path | None = None) -> Path:
    """Write the row of a run without the checks of the store, where it belongs or elsewhere."""
    target = path or store.path("runs", record)
    return stage(target.parent, [to_table([record])], RUNS).replace(target)


def write_predictions(store: Store, record: RunRecord, path: Path | None = None) -> Path:
    """Write the predictions of a run without its row, where they belong or elsewhere."""
    target = path or store.path("predictions", record)
    return stage(target.parent, [predictions_table(record)], PREDICTIONS).replace(target)


@pytest.fixture
def make() -> Callable[..., RunRecord]:
    return make_record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def filled(store: Store) -> Store:
    """Twelve runs of two tasks and two techniques, three seeds each, written in no particular order."""
    for seed in (2, 0, 1):
        for technique in ("llrd+reinit", "adamw"):
            for task in ("sst2", "conll2003"):
                store.append(make_record(seed, task=task, technique=technique))
    return store
