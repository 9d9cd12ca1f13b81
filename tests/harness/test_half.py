from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.harness.half import HalfLinear


def halves(*shape: int) -> st.SearchStrategy[torch.Tensor]:
    values = st.floats(-8, 8, width=16).map(lambda x: x if abs(x) > 1e-3 else 0.0)
    return hnp.arrays(np.float16, shape, elements=values).map(torch.from_numpy)


@given(halves(3, 5), halves(2, 5))
def test_it_is_the_exact_product_rounded_once(rows, weight):
    with HalfLinear():
        found = nn.functional.linear(rows, weight)
    exact = rows.double() @ weight.double().T
    assert found.dtype == torch.float16
    assert torch.allclose(found.double(), exact, rtol=2**-10, atol=1e-4)


def test_operands_and_result_are_rounded_to_fp16():
    row, weight = torch.tensor([[1 + 2**-12, 1.0]]), torch.tensor([[1.0, 2**-11]])
    with HalfLinear():
        found = nn.functional.linear(row, weight, torch.tensor([2**-12]))
    # 1 + 2**-12 is 1 in fp16, and 1 + 2**-11 + 2**-12 is nearest to 1 + 2**-10.
    assert found.item() == 1 + 2**-10


def test_gradients_overflow_and_vanish_as_in_fp16():
    weight = torch.tensor([[1.0]], requires_grad=True)
    for factor, expected in ((1e-9, 0.0), (2.0**-20, 2.0**-20), (1e6, torch.inf)):
        with HalfLinear():
            (found,) = torch.autograd.grad(
                nn.functional.linear(torch.ones(1, 1), weight).float().sum() * factor, weight
            )
        assert found.item() == expected


def test_other_functions_and_what_comes_after_are_left_alone():
    layer, row = nn.Linear(4, 4), torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    with HalfLinear():
        assert torch.nn.functional.gelu(row).dtype == torch.float32
    assert layer(row).dtype == torch.float32


@pytest.mark.parametrize("task", ["sst2", "squad"])
def test_it_agrees_with_the_kernels_of_torch(train, task, monkeypatch):
    ours = train(task, precision="fp16", eval_examples=8)
    called = []

    def plain(_mode, func, _types, args=(), kwargs=None):
        called.append(func)
        return func(*args, **(kwargs or {}))

    monkeypatch.setattr(HalfLinear, "__torch_function__", plain)
    theirs = train(task, precision="fp16", eval_examples=8)
    assert nn.functional.linear in called
    assert ours.record.curve_loss == pytest.approx(theirs.record.curve_loss, rel=5e-3)
