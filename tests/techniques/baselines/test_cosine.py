from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.spec import Profile
from bench_lib.harness.optim import build_schedule
from bench_lib.techniques.baselines.cosine import Cosine


def rates(warmup, steps):
    """The learning rate at every step, of a peak of 1, and what is left after the last."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = build_schedule(optimizer, Cosine().configure(Profile(warmup=warmup)), steps)
    found = []
    for _ in range(steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_only_the_schedule_changes():
    assert Cosine().configure(Profile(warmup=0.3)) == Profile(warmup=0.3, schedule="cosine")


def test_every_rate_by_hand(train):
    record = train(
        "sst2", "cosine", epochs=4, train_examples=16, eval_examples=4, learning_rate=0.01, warmup=0.25
    ).record
    # 8 steps: 2 up, then (1 + cos(pi * k / 6)) / 2 for k = 0 ... 5.
    root = math.sqrt(3) / 2
    falling = [1, (1 + root) / 2, 0.75, 0.5, 0.25, (1 - root) / 2]
    assert record.curve.learning_rate == pytest.approx([0, 0.005, *(0.01 * rate for rate in falling)])


@given(warmup=st.floats(0, 0.9), steps=st.integers(1, 60))
def test_it_starts_at_zero_peaks_after_the_warm_up_and_ends_at_zero(warmup, steps):
    found, top = rates(warmup, steps), round(warmup * steps)
    assert found[top] == max(found) == 1.0
    assert top == 0 or found[0] == 0
    assert top == steps or found[-1] == pytest.approx(0, abs=1e-12)
    assert found[top:] == sorted(found[top:], reverse=True)
    if top < steps:
        assert found[top + (steps - top) // 2] >= 0.5 - 1e-12, "above the straight line in the first half"
