from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.spec import Profile
from bench_lib.techniques.optimisation.grad_accumulation import GradAccumulation


@pytest.mark.parametrize(
    ("batch", "accumulate", "parts", "expected"),
    [(16, 1, 4, 4), (6, 1, 4, 3), (7, 1, 4, 1), (1, 1, 4, 1), (2, 1, 4, 2), (8, 2, 4, 8), (8, 4, 4, 8), (16, 2, 1, 2)],
)
def test_how_many_parts(batch, accumulate, parts, expected):
    profile = Profile(batch_size=batch, accumulate=accumulate)
    assert GradAccumulation(parts).configure(profile) == Profile(batch_size=batch, accumulate=expected)


@given(data=st.data(), batch=st.integers(1, 60), parts=st.integers(1, 60))
def test_the_largest_divisor_that_is_small_enough(data, batch, parts):
    divisors = [d for d in range(1, batch + 1) if batch % d == 0]
    before = data.draw(st.sampled_from(divisors))
    profile = GradAccumulation(parts).configure(Profile(batch_size=batch, accumulate=before))
    assert profile.batch_size == batch
    assert profile.accumulate == max(d for d in divisors if d <= parts * before) >= before


def test_the_update_is_that_of_the_whole_batch(train):
    changes = {"train_examples": 8, "eval_examples": 4, "dropout": 0.0}
    whole, parts = (train("conll2003", stack, **changes) for stack in ("adamw", "grad_accumulation"))
    assert (whole.record.cost.forward_passes, parts.record.cost.forward_passes) == (1, 4)
    assert (whole.record.cost.backward_passes, parts.record.cost.backward_passes) == (1, 4)
    assert parts.record.cost.steps == whole.record.cost.steps == 1
    assert parts.record.curve.loss == pytest.approx(whole.record.curve.loss, rel=1e-5)
    assert parts.record.curve.grad_norm == pytest.approx(whole.record.curve.grad_norm, rel=1e-4)
