from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.lamb import Lamb


def published(theta, gradients, rate, decay, beta1=0.9, beta2=0.999, eps=1e-6):
    """Algorithm 2 of the paper without bias correction, phi(z) = z; for biases and norms the ratio is 1."""
    m = v = torch.zeros_like(theta)
    for g in gradients:
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        r = m / (v.sqrt() + eps) + decay * theta
        theta = theta - rate * (theta.norm() / r.norm() if theta.dim() > 1 else 1) * r
    return theta


def trained(start, gradients, rate, decay, technique):
    weight = nn.Parameter(start.clone())
    optimizer = technique.optimizer([Group({"w": weight}, rate, decay)], Profile())
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 2), (6,)])
def test_four_steps_by_the_papers_equations(shape):
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(*shape, generator=draws, dtype=torch.float64)
    gradients = [torch.randn(*shape, generator=draws, dtype=torch.float64) for _ in range(4)]
    found = trained(start, gradients, 0.02, 0.3, Lamb(2.0))
    torch.testing.assert_close(found, published(start, gradients, 0.04, 0.3), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [0.01, 1.0, 1000.0])
def test_the_first_step_is_a_share_of_the_norm_by_hand(size):
    # m / sqrt(v) is sign(g) * 0.1 / sqrt(0.001), whose size the ratio cancels: (3, 4) has norm 5, (1, 1) has root 2.
    moved = trained(torch.tensor([[3.0, 4.0]]) * size, [torch.tensor([[2.0, -7.0]])], 0.01, 0.0, Lamb(4.0))
    step = 0.04 * 5 / 2**0.5
    torch.testing.assert_close(moved, torch.tensor([[3.0 - step, 4.0 + step]]) * size, rtol=1e-4, atol=0)


@pytest.mark.parametrize("start", [torch.zeros(1, 2), torch.zeros(2), torch.tensor([30.0, 40.0])])
def test_a_matrix_at_zero_leaves_it_as_biases_leave_anything(start):
    gradient = torch.tensor([2.0, -7.0]).expand_as(start)
    moved = trained(start, [gradient], 0.01, 0.0, Lamb(1.0)) - start
    torch.testing.assert_close(moved, (-gradient.sign()) * 0.01 * 0.1 / 0.001**0.5, rtol=1e-4, atol=1e-5)


def test_a_group_of_both_is_taken_apart_and_keeps_its_rate():
    named = {"w": nn.Parameter(torch.ones(2, 2)), "b": nn.Parameter(torch.ones(2))}
    optimizer = Lamb(2.0).optimizer([Group(named, 0.1, 0.3)], Profile())
    found = [(g["params"], g["lr"], g["weight_decay"], g["adam"]) for g in optimizer.param_groups]
    assert found == [([named["w"]], 0.2, 0.3, False), ([named["b"]], 0.2, 0.3, True)]
