from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.optimisation.spam import SPAM


@pytest.fixture
def steps(toy):
    """What it leaves of these gradients of one weight, at a rate of 1, and the rate and the weight of each step."""

    def run(technique, gradients, total):
        weight = nn.Parameter(torch.zeros(len(gradients[0])))
        toy.trained, toy.total_steps = {"w": weight}, total
        toy.optimizer = technique.optimizer([Group(toy.trained, 1.0, 0.0)], Profile())
        found = []
        for toy.step, gradient in enumerate(gradients):
            weight.grad = torch.tensor(gradient)
            toy.optimizer.param_groups[0]["lr"] = 1.0  # as the schedule does
            technique.after_backward(toy)
            toy.optimizer.step()
            found.append((weight.grad.tolist(), toy.optimizer.param_groups[0]["lr"], weight.tolist()))
        return found

    return run


def test_a_spike_is_clipped_by_hand(steps):
    """After two ones v is 0.001999; half of four steps go unclipped, and the element without a moment is left alone."""
    found = steps(SPAM(1000.0, every=1.0), [[1.0, 0.0], [1.0, 0.0], [-50.0, 7.0], [1.0, 0.0]], total=4)
    assert found[2][0] == pytest.approx([-math.sqrt(1000 * 0.001999), 7.0])
    assert found[3][0] == [1.0, 0.0]


def test_nothing_is_clipped_right_after_a_reset(steps):
    found = steps(SPAM(1000.0, every=0.5), [[1.0]] * 4 + [[50.0]] * 2 + [[1.0], [90.0]], total=8)
    assert [gradient for (gradient,), _, _ in found[:6]] == [1.0] * 4 + [50.0] * 2
    assert found[7][0][0] < 90.0


def test_moments_begin_anew_at_a_low_rate_that_rises(steps):
    """Resets at 10 of 20 steps; of the 10 after it, three have a lower rate."""
    found = steps(SPAM(math.inf, every=0.5), [[1.0]] * 10 + [[-1.0]] * 10, total=20)
    rates = [rate for _, rate, _ in found]
    low = [1 - 0.99 * (1 + math.cos(math.pi * k / 4)) / 2 for k in (1, 2, 3)]
    assert rates == pytest.approx([1.0] * 10 + low + [1.0] * 7)
    # m and v are those of the one gradient after the reset, corrected as at step 11.
    corrections = (1 - 0.9**11), (1 - 0.999**11)
    step = 0.1 / corrections[0] / (math.sqrt(0.001 / corrections[1]) + Profile().eps)
    assert found[10][2][0] - found[9][2][0] == pytest.approx(low[0] * step, rel=1e-4)


def test_without_reset_and_clipping_it_is_adamw(steps, toy):
    gradients = [[1.0, -2.0], [50.0, 0.1], [-3.0, 1e-3]]
    found = steps(SPAM(math.inf, every=1.0), gradients, total=3)
    weight = nn.Parameter(torch.zeros(2))
    optimizer = decoupled_adam([Group({"w": weight}, 1.0, 0.0)], Profile())
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    assert found[-1][2] == weight.tolist()
