from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.sgd import SGD


def trained(technique, gradients, rate, decay, start=2.0):
    weight, unused = nn.Parameter(torch.tensor([start])), nn.Parameter(torch.ones(1))
    optimizer = technique.optimizer([Group({"u": unused, "w": weight}, rate, decay)], Profile())
    values = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        values.append(weight.item())
    assert unused.item() == 1.0
    return values


def test_three_steps_by_hand():
    # m: 1, then 0.5 - 2 = -1.5, then -0.75 + 4 = 3.25.
    assert trained(SGD(momentum=0.5), (1.0, -2.0, 4.0), 0.1, 0.0) == pytest.approx([1.9, 2.05, 1.725])


def test_without_momentum_a_step_is_the_gradient():
    assert trained(SGD(momentum=0.0), (1.0, -2.0), 0.1, 0.0) == pytest.approx([1.9, 2.1])


def test_the_decay_does_not_pass_through_the_momentum():
    # Each step first multiplies by 1 - 0.1 * 0.5; without a gradient's momentum nothing else moves.
    assert trained(SGD(), (0.0, 0.0, 0.0), 0.1, 0.5) == pytest.approx([1.9, 1.805, 1.71475])


def test_it_has_a_rate_of_its_own_and_the_profiles_decay_per_step():
    profile = Profile(learning_rate=2e-5, weight_decay=0.01)
    found = SGD().configure(profile)
    assert found.learning_rate == 1e-2
    assert found.learning_rate * found.weight_decay == pytest.approx(2e-5 * 0.01)
    assert SGD().configure(Profile(learning_rate=0.0, weight_decay=0.01)).weight_decay == 0.0


def test_groups_keep_their_own_rates():
    groups = [Group({name: nn.Parameter(torch.ones(1))}, rate, 0.01) for name, rate in (("a", 0.1), ("b", 0.2))]
    assert [g["lr"] for g in SGD().optimizer(groups, Profile()).param_groups] == [0.1, 0.2]


def test_a_clipped_step_is_no_longer_than_said(moves):
    _, steps = moves("sst2", "sgd", train_examples=16, eval_examples=4, schedule="constant_with_warmup", warmup=0.0)
    longest = max(sum(change.square().sum() for change in step.values()).sqrt().item() for step in steps)
    assert 0 < longest <= 0.1 + 1e-3
