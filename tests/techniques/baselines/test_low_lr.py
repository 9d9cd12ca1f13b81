from __future__ import annotations

import pytest

from bench_lib.core.spec import Profile
from bench_lib.techniques.baselines.low_lr import LowLr


def test_only_the_rate_changes():
    assert LowLr(0.25).configure(Profile(learning_rate=8e-5)) == Profile(learning_rate=2e-5)
    assert LowLr().configure(Profile(learning_rate=2e-5)).learning_rate == pytest.approx(1e-5)


def test_every_step_is_at_half_the_rate(train):
    usual, lower = (train("sst2", stack, eval_examples=4).record.curve.learning_rate for stack in ("adamw", "low_lr"))
    assert lower == pytest.approx([rate / 2 for rate in usual])
    assert max(usual) > 0
