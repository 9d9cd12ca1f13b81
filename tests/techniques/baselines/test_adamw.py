from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.harness.optim import build_optimizer
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.stack import parse_stack


def test_two_steps_by_hand():
    weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    optimizer = decoupled_adam([Group({"w": weight}, learning_rate=0.1, weight_decay=0.01)], Profile(eps=0.5))
    weight.grad = torch.tensor([[0.5, 2.0]], dtype=torch.float64)
    optimizer.step()
    # After one step, m_hat = g and v_hat = g^2: theta - lr * (g / (|g| + eps) + wd * theta)
    first = [1 - 0.1 * (0.5 / 1.0 + 0.01 * 1), -2 - 0.1 * (2 / 2.5 + 0.01 * -2)]
    assert weight.tolist()[0] == pytest.approx(first, rel=1e-12)
    weight.grad = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    optimizer.step()
    m = (0.9 * 0.1 * 0.5 + 0.1 * 1.0) / (1 - 0.9**2)
    v = (0.999 * 0.001 * 0.25 + 0.001 * 1.0) / (1 - 0.999**2)
    second = first[0] - 0.1 * (m / (math.sqrt(v) + 0.5) + 0.01 * first[0])
    assert weight[0, 0].item() == pytest.approx(second, rel=1e-9)


def test_the_profile_holds_the_published_settings():
    profile = Profile()
    assert (profile.learning_rate, profile.batch_size, profile.warmup, profile.schedule) == (2e-5, 16, 0.1, "linear")
    assert (profile.weight_decay, profile.eps, profile.clip_norm) == (0.01, 1e-6, 1.0)
    assert (profile.beta1, profile.beta2) == (0.9, 0.999)


def test_only_matrices_decay(toy):
    optimizer = build_optimizer(toy, parse_stack("adamw", TECHNIQUES))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {n: decay[id(p)] for n, p in toy.model.named_parameters()} == {
        n: 0.01 if p.dim() == 2 else 0.0 for n, p in toy.model.named_parameters()
    }


def test_the_rate_warms_up_and_falls_to_zero_linearly(train):
    record = train("sst2", epochs=5, warmup=0.2, learning_rate=0.01, eval_examples=4).record
    expected = [0.01 * (step / 4 if step < 4 else (20 - step) / 16) for step in range(20)]
    assert record.curve.learning_rate == pytest.approx(expected)
