from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.spec import Profile
from bench_lib.harness.optim import build_schedule
from bench_lib.techniques.baselines.warmup import Warmup


def test_only_the_warm_up_changes():
    assert Warmup(0.3).configure(Profile(warmup=0.1)) == Profile(warmup=0.3)
    assert Warmup(None).configure(Profile(warmup=0.1)) == Profile(warmup=0.1)


def test_every_rate_by_hand(train):
    record = train("sst2", "warmup:share=0.4", epochs=5, train_examples=16, eval_examples=4, learning_rate=0.01).record
    # 10 steps: 4 up to the full rate, 6 down from it.
    assert record.curve.learning_rate == pytest.approx(
        [0, 0.0025, 0.005, 0.0075, 0.01, 0.01 * 5 / 6, 0.01 * 4 / 6, 0.01 * 3 / 6, 0.01 * 2 / 6, 0.01 * 1 / 6]
    )


@given(share=st.floats(0, 1), steps=st.integers(1, 40))
def test_the_rate_rises_in_equal_steps_from_zero_to_its_peak(share, steps):
    profile = Warmup(share).configure(Profile())
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = build_schedule(optimizer, profile, steps)
    top = round(share * steps)
    for step in range(top):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(step / top)
        optimizer.step()
        schedule.step()
    if top < steps:
        assert optimizer.param_groups[0]["lr"] == 1.0
