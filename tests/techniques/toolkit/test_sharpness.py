from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.techniques.toolkit.sharpness import climbed, factor_to

numbers = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=6)


@given(weights=numbers, shift=st.floats(-100, 100, width=32), raising=st.booleans())
def test_a_climb_returns_to_its_point_to_the_bit(weights, shift, raising):
    # Which adding and then subtracting would not: 0.1 + 100 - 100 is not 0.1.
    parameter, start = nn.Parameter(torch.tensor(weights)), torch.tensor(weights)
    try:
        with climbed([parameter], [torch.full_like(start, shift)]):
            assert torch.equal(parameter, start + shift)
            if raising:
                raise RuntimeError("out of luck")
    except RuntimeError:
        assert raising
    assert torch.equal(parameter, start)
    assert parameter.requires_grad


def test_a_factor_scales_tensors_as_one_vector():
    tensors = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    assert factor_to(0.5, tensors) == pytest.approx(0.1)
    assert factor_to(0.0, tensors) == 0


@pytest.mark.parametrize("value", [0.0, 1e-30, float("inf"), float("nan"), 1e30])
def test_what_has_no_direction_is_not_scaled(value):
    assert factor_to(1.0, [torch.ones(2), torch.tensor([value])] if abs(value) > 1 else [torch.tensor([value])]) == 0
