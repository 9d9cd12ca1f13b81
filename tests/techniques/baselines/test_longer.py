from __future__ import annotations

import pytest

from bench_lib.core.spec import Profile
from bench_lib.techniques.baselines.longer import Longer


def test_only_the_epochs_change():
    assert Longer().configure(Profile(epochs=3)) == Profile(epochs=20)
    assert Longer(None).configure(Profile(epochs=3)) == Profile(epochs=3)


def test_warm_up_and_decay_stretch_with_the_epochs(train):
    record = train("sst2", "longer:epochs=10", train_examples=16, eval_examples=4, learning_rate=0.01).record
    # 2 steps an epoch, 20 in all, the first 2 of them the warm-up's tenth; the last is one step short of zero.
    expected = [0.01 * (t / 2 if t < 2 else (20 - t) / 18) for t in range(20)]
    assert record.curve.learning_rate == pytest.approx(expected)
    assert (record.cost.steps, record.cost.examples) == (20, 160)
    assert len(record.evaluations.steps) == 2, "as many evaluations as without"
