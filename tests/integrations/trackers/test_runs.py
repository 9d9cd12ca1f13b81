from __future__ import annotations

import math
from collections.abc import Callable

from bench_lib.core.record import RunRecord, Status
from bench_lib.integrations.trackers.runs import tracked

Make = Callable[..., RunRecord]


def test_a_record_is_said_in_the_terms_of_trackers(make: Make) -> None:
    run = tracked(make(3))
    assert (run.name, run.group, run.started) == ("rte mixout seed 3", "rte mixout", 1767323045.0)
    assert run.series["train/loss"] == ((1, 0.7), (2, 0.6), (3, 0.5))
    assert run.series["eval/accuracy"] == ((2, 0.6), (3, 0.75))
    assert "eval/dev_score" not in run.series
    assert run.summary["score"] == 0.75
    assert run.summary["metrics/f1"] == 0.7
    assert {
        "task": "rte", "technique": "mixout", "technique.mixout.p": 0.9, "model_fingerprint": "weights0", "seed": 3,
        "profile": "desk", "profile.batch_size": 16, "profile.learning_rate": 2e-5, "frozen.subset": 0,
    }.items() <= run.settings.items()  # fmt: skip
    assert (run.tags["status"], run.tags["run_id"], run.tags["provenance.torch"]) == ("converged", run.run_id, "2.13.0")
    assert dict(run.rows())[3] == {
        "train/loss": 0.5, "train/learning_rate": 1e-5, "train/grad_norm": 0.5, "eval/accuracy": 0.75,
    }  # fmt: skip


def test_what_is_not_known_is_left_out_and_what_is_not_finite_stays(make: Make) -> None:
    run = tracked(make(2, Status.DIVERGED).changed({"provenance": {}, "train_seconds": math.nan}))
    assert "score" not in run.summary
    assert "timing/train_seconds" not in run.summary
    assert math.isnan(run.series["train/loss"][-1][1])
    assert run.started == 0.0
