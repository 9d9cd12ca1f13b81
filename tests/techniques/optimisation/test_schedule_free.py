from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.schedule_free import ScheduleFree

FEW = {"train_examples": 8, "eval_examples": 4}


def published(start, gradients, rates, decay, beta=0.9, beta2=0.999):
    """Algorithm 1, with x, y and z all three."""
    x = z = y = start
    v, total = torch.zeros_like(start), 0.0
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        v = beta2 * v + (1 - beta2) * gradient**2
        z = z - rate * (gradient / ((v / (1 - beta2**t)).sqrt() + Profile().eps) + decay * y)
        total += rate**2
        c = rate**2 / total if total else 0.0
        x = (1 - c) * x + c * z
        y = (1 - beta) * z + beta * x
    return x, y


def test_five_steps_by_the_papers_equations(toy):
    draws = torch.Generator().manual_seed(0)
    start, *gradients = (torch.randn(3, 2, generator=draws, dtype=torch.float64) for _ in range(6))
    rates = (0.0, 0.1, 0.2, 0.2, 0.2)  # a warm-up from 0
    weight = nn.Parameter(start.clone())
    toy.optimizer = ScheduleFree().optimizer([Group({"w": weight}, 0.2, 0.3)], Profile())
    toy.trained = {"w": weight}
    for gradient, rate in zip(gradients, rates, strict=True):
        weight.grad = gradient.clone()
        toy.optimizer.param_groups[0]["lr"] = rate
        toy.optimizer.step()
    x, y = published(start, gradients, rates, 0.3)
    torch.testing.assert_close(weight.detach(), y)
    before = weight.detach().clone()
    with ScheduleFree().evaluate_under(toy):
        torch.testing.assert_close(weight.detach(), x)
        assert not torch.equal(weight, before)
    assert torch.equal(weight, before)


def test_before_any_step_it_is_the_weights(toy):
    before = [p.detach().clone() for p in toy.model.parameters()]
    with ScheduleFree().evaluate_under(toy):
        assert all(map(torch.equal, before, toy.model.parameters()))


def test_the_rate_stays_after_the_warm_up(train):
    rates = train("sst2", "schedule_free", epochs=4, learning_rate=0.01, warmup=0.25, **FEW).record.curve.learning_rate
    assert list(rates)[-2:] == pytest.approx([0.01, 0.01])
    assert ScheduleFree().configure(Profile()) == Profile(schedule="constant_with_warmup")
