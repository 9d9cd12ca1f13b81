from __future__ import annotations

import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.radam import RAdam


def published(theta, gradients, rate, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    """Algorithm 2 of the paper, with decoupled decay."""
    m = v = torch.zeros_like(theta)
    infinite = 2 / (1 - beta2) - 1
    for t, g in enumerate(gradients, 1):
        theta = theta - rate * decay * theta
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        length = infinite - 2 * t * beta2**t / (1 - beta2**t)
        m_hat = m / (1 - beta1**t)
        if length <= 5:
            theta = theta - rate * m_hat
            continue
        r = ((length - 4) * (length - 2) * infinite / ((infinite - 4) * (infinite - 2) * length)) ** 0.5
        theta = theta - rate * r * m_hat / ((v / (1 - beta2**t)).sqrt() + eps)
    return theta


def trained(start, gradients, rate, decay):
    weight = nn.Parameter(start.clone())
    optimizer = RAdam().optimizer([Group({"w": weight}, rate, decay)], Profile())
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


def test_eight_steps_by_the_papers_equations():
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(3, 2, generator=draws, dtype=torch.float64)
    gradients = [torch.randn(3, 2, generator=draws, dtype=torch.float64) for _ in range(8)]
    torch.testing.assert_close(trained(start, gradients, 0.1, 0.3), published(start, gradients, 0.1, 0.3))


def test_the_first_five_steps_are_those_of_a_momentum_by_hand():
    # A constant gradient g is its own corrected momentum: five steps of lr * g, the sixth of lr * r_6, about 0.026.
    moved = [-trained(torch.zeros(1), [torch.full((1,), 3.0)] * n, 0.1, 0.0).item() for n in (5, 6)]
    torch.testing.assert_close(moved, [5 * 0.3, 5 * 0.3 + 0.1 * 0.0258211], rtol=1e-4, atol=0)


def test_there_is_no_warm_up_unless_asked_for():
    assert RAdam().configure(Profile()) == Profile(warmup=0.0)
    assert RAdam(warmup=True).configure(Profile()) == Profile()
