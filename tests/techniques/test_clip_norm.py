from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.clip_norm import ClipNorm


def with_gradients(toy):
    """Gradients of norm 5: 3 in one entry, 4 in another."""
    parameters = list(toy.model.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    parameters[0].grad[0, 0], parameters[-1].grad[1] = 3.0, -4.0
    return parameters


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, (0.6, -0.8)), (2.5, (1.5, -2.0)), (6.0, (3.0, -4.0))])
def test_the_whole_gradient_is_scaled_to_the_norm(toy, max_norm, expected):
    parameters = with_gradients(toy)
    ClipNorm(max_norm).after_backward(toy)
    assert (parameters[0].grad[0, 0].item(), parameters[-1].grad[1].item()) == pytest.approx(expected, rel=1e-5)


def test_infinity_leaves_the_gradient_to_the_bit(toy):
    parameters = with_gradients(toy)
    before = [p.grad.clone() for p in parameters]
    ClipNorm(float("inf")).after_backward(toy)
    assert all(torch.equal(p.grad, g) for p, g in zip(parameters, before, strict=True))


def test_the_curve_keeps_the_norm_before_clipping(train):
    changes = {"train_examples": 8, "eval_examples": 4, "clip_norm": float("inf")}
    usual, clipped = (train("sst2", stack, **changes).record for stack in ("adamw", "clip_norm:max_norm=0.01"))
    assert clipped.curve_grad_norm[0] == usual.curve_grad_norm[0] > 0.01
