from __future__ import annotations

import math

import pytest
import pytorch_optimizer
import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.optimisation.adagc import AdaGC


@pytest.fixture
def clipped(toy):
    """The gradients that it makes of these, for one tensor, step by step, from the training's start on."""

    def run(technique, gradients, total=10):
        weight = nn.Parameter(torch.zeros(len(gradients[0])))
        toy.memory.clear()
        toy.trained, toy.total_steps = {"w": weight}, total
        found = []
        for toy.step, gradient in enumerate(gradients):
            weight.grad = torch.tensor(gradient)
            technique.after_backward(toy)
            found.append(weight.grad.clone())
        return torch.stack(found)

    return run


def test_three_steps_by_hand(clipped):
    """One step of ten clips at 1 and sets gamma to it; then at twice gamma, which moves by half of the way."""
    found = clipped(AdaGC(relative=2.0, smoothing=0.5), [[3.0, 4.0], [3.0, 4.0], [0.3, 0.4], [3.0, 4.0]])
    gammas = [1.0, 1.0 + 0.5, (1.5 + 0.5) / 2]
    norms = [1.0, 2 * gammas[0], 0.5, 2 * gammas[2]]
    assert found.norm(dim=1).tolist() == pytest.approx(norms)
    torch.testing.assert_close(found / found.norm(dim=1, keepdim=True), torch.tensor([[0.6, 0.8]] * 4))


def test_in_the_warm_up_the_least_norm_counts(clipped):
    found = clipped(AdaGC(relative=1.0, warmup=0.3), [[0.5], [0.2], [0.4], [0.8]])
    assert found.flatten().tolist() == pytest.approx([0.5, 0.2, 0.4, 0.2])


def test_in_the_warm_up_the_norm_of_all_is_clipped(toy):
    weights = {name: nn.Parameter(torch.zeros(1)) for name in "ab"}
    toy.trained = weights
    weights["a"].grad, weights["b"].grad = torch.tensor([3.0]), torch.tensor([4.0])
    AdaGC(absolute=10 / 4).after_backward(toy)
    assert [p.grad.item() for p in weights.values()] == pytest.approx([1.5, 2.0])


def test_an_overflow_and_a_gradient_of_nothing_leave_no_trace(clipped):
    found = clipped(AdaGC(relative=1.0), [[1.0], [math.inf], [0.0], [5.0]])
    assert not found[1].isfinite()
    assert found[2] == 0.0
    assert found[3].item() == pytest.approx(0.98)  # of gamma 1 and a norm of 0


def test_with_adamw_it_is_the_librarys_optimiser(toy):
    draws = torch.Generator().manual_seed(0)
    start = {name: torch.randn(3, 2, generator=draws) for name in "ab"}
    steps = [{name: torch.randn(3, 2, generator=draws) * 1.5**i for name in "ab"} for i in range(8)]
    ours, theirs = ({n: nn.Parameter(p.clone()) for n, p in start.items()} for _ in range(2))
    optimizer = decoupled_adam([Group(ours, 0.1, 0.01)], Profile())
    reference = pytorch_optimizer.AdaGC([*theirs.values()], lr=0.1, weight_decay=0.01, warmup_steps=4, foreach=False)
    technique, toy.trained, toy.total_steps = AdaGC(), ours, 30  # of which three are warm-up: the library counts from 1
    for toy.step, gradients in enumerate(steps):
        for name, gradient in gradients.items():
            ours[name].grad, theirs[name].grad = gradient.clone(), gradient.clone()
        technique.after_backward(toy)
        optimizer.step()
        reference.step()
    for name in "ab":
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_the_profiles_clipping_is_left_out():
    assert AdaGC().configure(Profile()).clip_norm == math.inf
    assert AdaGC(math.inf).configure(Profile()) == Profile()
