from __future__ import annotations

import math

import pytest
import pytorch_optimizer
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.stable_spam import StableSPAM


def scaled(toy, technique, gradients):
    """What it leaves of these gradients of one weight."""
    weight = nn.Parameter(torch.zeros(len(gradients[0])))
    toy.trained, toy.total_steps = {"w": weight}, 100
    toy.optimizer = technique.optimizer([Group(toy.trained, 1.0, 0.0)], Profile())
    found = []
    for toy.step, gradient in enumerate(gradients):
        weight.grad = torch.tensor(gradient)
        technique.after_backward(toy)
        found.append(weight.grad.clone())
    return torch.stack(found)


def test_two_steps_by_hand(toy):
    """With gammas of 0.5 an average after two steps is one third of the first and two thirds of the second."""
    found = scaled(toy, StableSPAM(0.5, 0.5, 0.5), [[3.0, 4.0], [0.0, 10.0]])
    assert found[0].tolist() == pytest.approx([0.6, 0.8])
    limit = (4 + 2 * 10) / 3
    mean, square = (5 + 2 * limit) / 3, (25 + 2 * limit**2) / 3
    assert found[1].tolist() == pytest.approx([0.0, mean / math.sqrt(square)])


def test_a_gradient_of_nothing_and_an_overflow_leave_numbers(toy):
    found = scaled(toy, StableSPAM(), [[0.0, 0.0], [1.0, math.inf], [3.0, 4.0]])
    assert found[0].tolist() == [0.0, 0.0]
    assert found[2].isfinite().all()


def test_it_is_the_librarys_optimiser_over_a_reset(toy):
    draws = torch.Generator().manual_seed(0)
    start = {name: torch.randn(3, 2, generator=draws) for name in "ab"}
    steps = [{name: torch.randn(3, 2, generator=draws) * 1.5**i for name in "ab"} for i in range(7)]
    ours, theirs = ({n: nn.Parameter(p.clone()) for n, p in start.items()} for _ in range(2))
    technique, toy.trained, toy.total_steps = StableSPAM(every=0.5), ours, 8  # the library counts from 1
    toy.optimizer = technique.optimizer([Group(ours, 0.1, 0.01)], Profile())
    reference = pytorch_optimizer.StableSPAM([*theirs.values()], lr=0.1, weight_decay=0.01, update_proj_gap=5)
    for toy.step, gradients in enumerate(steps):
        for name, gradient in gradients.items():
            ours[name].grad, theirs[name].grad = gradient.clone(), gradient.clone()
        technique.after_backward(toy)
        toy.optimizer.step()
        reference.step()
    for name in "ab":
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_the_profiles_clipping_is_left_out():
    assert StableSPAM().configure(Profile()).clip_norm == math.inf
