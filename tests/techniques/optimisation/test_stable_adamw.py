from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.optimisation.stable_adamw import StableAdamW

FEW = {"train_examples": 16, "eval_examples": 4}


def published(theta, gradients, rate, decay, threshold, beta1=0.9, beta2=0.99):
    """Algorithm 2 of the paper, with the debiased betas written out."""
    v = u = torch.zeros_like(theta)
    eps = Profile().eps
    for t, g in enumerate(gradients, 1):
        b1, b2 = (b * (1 - b ** (t - 1)) / (1 - b**t) for b in (beta1, beta2))
        v, u = b1 * v + (1 - b1) * g, b2 * u + (1 - b2) * g**2
        rms = (g**2 / torch.clamp(u, min=eps**2)).mean().sqrt()
        eta = rate / max(1.0, (rms / threshold).item())
        theta = theta - rate * decay * theta
        theta = theta - eta * v / (u.sqrt() + eps)
    return theta


def trained(make, start, gradients, rate=0.1, decay=0.3):
    weight = nn.Parameter(start.clone())
    optimizer = make([Group({"w": weight}, rate, decay)], Profile())
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach(), optimizer


def draws(steps=8):
    generator = torch.Generator().manual_seed(0)
    numbers = [torch.randn(3, 2, generator=generator, dtype=torch.float64) for _ in range(steps + 1)]
    return numbers[0], [g * (1 + 9 * (i == 5)) for i, g in enumerate(numbers[1:])]


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
def test_eight_steps_by_the_papers_equations(threshold):
    start, gradients = draws()
    found, _ = trained(StableAdamW(threshold=threshold).optimizer, start, gradients)
    torch.testing.assert_close(found, published(start, gradients, 0.1, 0.3, threshold))


def test_a_gradient_ten_times_the_last_ones_is_slowed_by_hand():
    # Ten ones, then a ten: of u the new share is 0.01 / (1 - 0.99^11), about 0.0956; rms = 10 / sqrt(1 + 99 * 0.0956).
    gradients = [torch.ones(1)] * 10 + [torch.full((1,), 10.0)]
    _, optimizer = trained(StableAdamW().optimizer, torch.zeros(1), gradients, decay=0.0)
    share = 0.01 / (1 - 0.99**11)
    assert 10 / (1 + 99 * share) ** 0.5 == pytest.approx(3.09, abs=0.01)
    assert optimizer.slowed_share() <= 2 / 11  # the others are 1 up to rounding
    calm, _ = trained(StableAdamW(threshold=100.0).optimizer, torch.zeros(1), gradients, decay=0.0)
    held, _ = trained(StableAdamW().optimizer, torch.zeros(1), gradients, decay=0.0)
    before = -10 * 0.1
    assert (held.item() - before) * 3.09 == pytest.approx(calm.item() - before, rel=1e-2)


def test_where_it_never_slows_it_is_adamw():
    start, gradients = draws()
    found, optimizer = trained(StableAdamW(0.999, 1e9).optimizer, start, gradients)
    expected, _ = trained(decoupled_adam, start, gradients)
    torch.testing.assert_close(found, expected)
    assert optimizer.slowed_share() == 0.0


def test_a_gradient_of_nothing_moves_nothing():
    found, optimizer = trained(StableAdamW().optimizer, torch.ones(2), [torch.zeros(2)] * 3, decay=0.0)
    assert torch.equal(found, torch.ones(2))
    assert optimizer.slowed_share() == 0.0


def test_each_tensor_is_slowed_by_its_own():
    calm, wild = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = StableAdamW().optimizer([Group({"a": calm, "b": wild}, 0.1, 0.0)], Profile())
    for gradient in (1.0, 1.0, 100.0):
        calm.grad, wild.grad = torch.ones(1), torch.full((1,), gradient)
        optimizer.step()
    assert calm.item() == pytest.approx(-0.3)
    assert wild.item() > -0.3


def test_a_run_says_how_often_it_slowed(train):
    record = train("sst2", "stable_adamw", **FEW).record
    assert 0 < record.reported["stable_adamw.slowed"] < 1
    assert train("sst2", "stable_adamw:threshold=1000", **FEW).record.reported["stable_adamw.slowed"] == 0
