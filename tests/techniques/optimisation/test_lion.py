from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.lion import Lion


def trained(technique, gradients, rate, decay, start=2.0):
    weight, unused = nn.Parameter(torch.tensor([[start]])), nn.Parameter(torch.ones(1))
    optimizer = technique.optimizer([Group({"u": unused, "w": weight}, rate, decay)], Profile())
    values = []
    for gradient in gradients:
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        values.append(weight.item())
    assert unused.item() == 1.0
    return values


def test_three_steps_by_hand():
    """beta1 0.9 weighs the momentum in the direction, beta2 0.99 in what is kept of it.

    m: 0, 0.1, 0.069, so the directions are the signs of 0.1 * 10, 0.09 - 0.3 and 0.0621 - 0.05.
    """
    values = trained(Lion(0.5), (10.0, -3.0, -0.5), rate=0.02, decay=0.0)
    assert values == pytest.approx([1.99, 2.0, 1.99])


def test_the_decay_is_the_profiles_whatever_the_factor():
    # 2 * (1 - 0.02 * 0.3) and then a step of 0.02 times the factor.
    for factor in (0.1, 0.5, 2.0):
        assert trained(Lion(factor), (1.0,), 0.02, 0.3) == pytest.approx([2 * (1 - 0.006) - 0.02 * factor])


def test_groups_keep_their_own_settings():
    groups = [Group({name: nn.Parameter(torch.ones(1))}, rate, 0.01) for name, rate in (("a", 0.1), ("b", 0.2))]
    found = Lion(0.2).optimizer(groups, Profile()).param_groups
    assert [g["lr"] for g in found] == pytest.approx([0.02, 0.04])
    assert [g["weight_decay"] for g in found] == pytest.approx([0.05, 0.05])


def test_it_trains_under_a_loss_scale():
    """As fp16 has it: gradients come scaled, a step whose gradient is not finite is left out."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = Lion(1.0).optimizer([Group({"w": weight}, 0.5, 0.0)], Profile())
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor, expected in ((1.0, 0.5), (float("inf"), 0.5), (1.0, 0.0)):
        scaler.scale(weight.sum() * factor).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        assert weight.item() == expected
