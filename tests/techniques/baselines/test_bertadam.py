from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.baselines.bertadam import BertAdam
from bench_lib.techniques.interface.context import Group

RATES = (0.1, 0.05, 0.02, 0.1, 0.01)


def uncorrected_adam(theta, gradients, decay, eps=1e-6, beta1=0.9, beta2=0.999):
    """theta <- theta - lr * (m / (sqrt(v) + eps) + wd * theta), as the first BERT code had it."""
    m, v = torch.zeros_like(theta), torch.zeros_like(theta)
    for rate, g in zip(RATES, gradients, strict=True):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        theta = theta - rate * (m / (v.sqrt() + eps) + decay * theta)
    return theta


def test_five_steps_equal_an_adam_without_bias_correction():
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(3, 2, generator=draws, dtype=torch.float64)
    gradients = [torch.randn(3, 2, generator=draws, dtype=torch.float64) for _ in RATES]
    decaying, plain = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    groups = [Group({"a": decaying}, RATES[0], 0.3), Group({"b": plain}, RATES[0], 0.0)]
    optimizer = BertAdam().optimizer(groups, Profile())
    for rate, gradient in zip(RATES, gradients, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        before = copy.deepcopy(settings)
        decaying.grad, plain.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        assert [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups] == before
    torch.testing.assert_close(decaying.detach(), uncorrected_adam(start, gradients, 0.3), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(plain.detach(), uncorrected_adam(start, gradients, 0.0), rtol=1e-6, atol=1e-6)


def test_the_first_step_is_more_than_three_times_the_corrected_one():
    def moved(technique):
        weight = nn.Parameter(torch.zeros(1, 1))
        weight.grad = torch.ones(1, 1)
        technique.optimizer([Group({"w": weight}, 0.1, 0.0)], Profile()).step()
        return -weight.item()

    # (1 - beta1) / sqrt(1 - beta2) = 0.1 / sqrt(0.001)
    assert moved(BertAdam()) / moved(BertAdam(bias_correction=True)) == pytest.approx(10**0.5, rel=1e-3)


def test_a_parameter_without_a_gradient_does_not_hold_back_its_group():
    draws = torch.Generator().manual_seed(1)
    start = torch.randn(2, 2, generator=draws, dtype=torch.float64)
    gradients = [torch.randn(2, 2, generator=draws, dtype=torch.float64) for _ in RATES]
    unused, used = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer = BertAdam().optimizer([Group({"unused": unused, "used": used}, 0.1, 0.0)], Profile())
    for rate, gradient in zip(RATES, gradients, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        used.grad = gradient.clone()
        optimizer.step()
    torch.testing.assert_close(used.detach(), uncorrected_adam(start, gradients, 0.0), rtol=1e-6, atol=1e-6)
    assert torch.equal(unused.detach(), start)


def test_there_is_no_warm_up():
    assert BertAdam().configure(Profile()) == Profile(warmup=0.0)
    assert BertAdam(warmup=True).configure(Profile()) == Profile()


def test_parameters_of_one_group_that_are_thawed_later_have_an_age_of_their_own():
    draws = torch.Generator().manual_seed(2)
    start = torch.randn(2, 2, generator=draws, dtype=torch.float64)
    gradients = [torch.randn(2, 2, generator=draws, dtype=torch.float64) for _ in RATES]
    early, late = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer = BertAdam().optimizer([Group({"early": early, "late": late}, 0.1, 0.3)], Profile())
    frozen = torch.zeros(2, 2, dtype=torch.float64)
    for number, gradient in enumerate(gradients):
        optimizer.param_groups[0]["lr"] = RATES[number]
        early.grad = gradient.clone()
        late.grad = gradient.clone() if number >= 2 else None
        if number == 2:
            assert torch.equal(late.detach(), start)
        optimizer.step()
    theta, m, v = start, frozen, frozen
    for rate, g in zip(RATES[2:], gradients[2:], strict=True):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - rate * (m / (v.sqrt() + 1e-6) + 0.3 * theta)
    torch.testing.assert_close(late.detach(), theta, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(early.detach(), uncorrected_adam(start, gradients, 0.3), rtol=1e-6, atol=1e-6)
    assert [len(group["params"]) for group in optimizer.param_groups] == [2]
