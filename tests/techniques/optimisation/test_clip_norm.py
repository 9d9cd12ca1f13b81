from __future__ import annotations

import math

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.harness.gradients import Gradients
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.optimisation.clip_norm import ClipNorm


def with_gradients(toy):
    """Gradients of norm 5: 3 in one entry, 4 in another."""
    parameters = list(toy.model.parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    parameters[0].grad[0, 0], parameters[-1].grad[1] = 3.0, -4.0
    return parameters


@pytest.mark.parametrize(
    ("profile", "max_norm", "expected"),
    [(1.0, 0.1, 0.1), (0.05, 0.1, 0.05), (1.0, math.inf, 1.0), (math.inf, 0.1, 0.1)],
)
def test_the_smaller_limit_holds_and_nothing_else_changes(profile, max_norm, expected):
    assert ClipNorm(max_norm).configure(Profile(clip_norm=profile)) == Profile(clip_norm=expected)


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, (0.6, -0.8)), (2.5, (1.5, -2.0)), (6.0, (3.0, -4.0))])
def test_the_whole_gradient_is_scaled_to_the_norm(toy, max_norm, expected):
    parameters = with_gradients(toy)
    toy.profile = ClipNorm(max_norm).configure(Profile(clip_norm=math.inf))
    Gradients(toy, Stack(())).settle()
    assert (parameters[0].grad[0, 0].item(), parameters[-1].grad[1].item()) == pytest.approx(expected, rel=1e-5)


def test_the_curve_keeps_the_norm_before_clipping_and_the_clipped_steps_are_counted(train):
    changes = {"train_examples": 8, "eval_examples": 4, "clip_norm": math.inf}
    usual, clipped = (train("sst2", stack, **changes).record for stack in ("adamw", "clip_norm:max_norm=0.01"))
    assert clipped.curve.grad_norm[0] == usual.curve.grad_norm[0] > 0.01
    assert (usual.curve.clipped_steps, clipped.curve.clipped_steps) == (0, 1)
