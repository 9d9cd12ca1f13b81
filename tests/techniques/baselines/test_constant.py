from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.spec import Profile
from bench_lib.harness.optim import build_schedule
from bench_lib.techniques.baselines.constant import Constant


def test_only_the_schedule_changes():
    assert Constant().configure(Profile(warmup=0.3)) == Profile(warmup=0.3, schedule="constant_with_warmup")


def test_every_rate_by_hand(train):
    changes = {"epochs": 4, "train_examples": 16, "eval_examples": 4, "learning_rate": 0.01, "warmup": 0.25}
    usual, constant = (train("sst2", stack, **changes).record.curve.learning_rate for stack in ("adamw", "constant"))
    assert constant == pytest.approx([0, 0.005, *[0.01] * 6])
    assert usual[:3] == constant[:3]
    assert usual[3] < constant[3]


@given(warmup=st.floats(0, 1), steps=st.integers(1, 60))
def test_it_rises_over_the_warm_up_and_never_falls(warmup, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = build_schedule(optimizer, Constant().configure(Profile(warmup=warmup)), steps)
    top = round(warmup * steps)
    for step in range(steps):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(step / top if step < top else 1.0)
        optimizer.step()
        schedule.step()
