from __future__ import annotations

import math

import pytest
import torch

from bench_lib.core.errors import BadValue
from bench_lib.harness.step import MicroStep
from bench_lib.techniques.adversarial.pgd import PGD
from bench_lib.techniques.toolkit.embedding_perturbation import uniform_noise

IDS, REAL = [[1, 2]], [[True, True]]


def embedded(toy):
    return toy.model.get_input_embeddings().weight.detach()[1:3].clone()


@pytest.mark.parametrize(
    ("steps", "epsilon", "reached"), [(2, 1.0, 0.6), (3, 1.0, 0.9), (3, 0.7, 0.7), (2, math.inf, 0.6)]
)
def test_the_loss_and_the_gradient_at_the_end_by_hand(toy, squares, steps, epsilon, reached):
    """The gradient points away from the origin, so that each step of 0.3 leads there, until the ball ends."""
    step, start = squares(IDS, REAL), embedded(toy)
    loss = PGD(steps=steps, step=0.3, epsilon=epsilon, scope="example").backward(step)
    worst = start * (1 + reached / start.norm())
    assert loss.item() == pytest.approx(worst.square().sum().item() / 2, rel=1e-5)
    assert not loss.requires_grad
    # Of the last pass alone: those on the way there are not learnt from.
    torch.testing.assert_close(toy.model.get_input_embeddings().weight.grad[1:3], worst)
    assert step.repeats == [0] * (steps + 1)


def test_it_climbs_from_noise(toy, squares):
    step, start = squares(IDS, REAL), embedded(toy)
    noise = uniform_noise(step, 2.0, "pgd")[0]
    climbed = noise + 0.3 * (start + noise) / (start + noise).norm()
    for epsilon in (math.inf, 0.4):
        assert climbed.norm().item() > 0.4
        shift = climbed * min(1, epsilon / climbed.norm().item())
        loss = PGD(steps=1, step=0.3, epsilon=epsilon, init=2.0, scope="example").backward(step)
        assert loss.item() == pytest.approx((start + shift).square().sum().item() / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("steps", "epsilon", "reached"), [(1, 1.0, 0.3), (2, 1.0, 0.6), (3, 1.0, 0.9), (3, 0.7, 0.7), (2, math.inf, 0.6)]
)
def test_the_matrix_climbs_as_one_vector_by_hand(toy, squares, steps, epsilon, reached):
    """The gradient is the rows that are read, which lie in one direction however far they are shifted."""
    step, start, weight = squares(IDS, REAL), embedded(toy), toy.model.get_input_embeddings().weight
    before = weight.detach().clone()
    loss = PGD(steps=steps, step=0.3, epsilon=epsilon).backward(step)
    worst = start * (1 + reached / start.norm())
    assert loss.item() == pytest.approx(start.square().sum().item() / 2, rel=1e-6)
    assert step.losses[-1] == pytest.approx(worst.square().sum().item() / 2, rel=1e-5)
    # The clean pass and the last count; those on the way there are not learnt from.
    torch.testing.assert_close(weight.grad[1:3], start + worst)
    assert torch.equal(weight, before)
    assert step.repeats == [*range(steps + 1)]


def test_what_was_gathered_before_counts_in_the_first_climb_and_in_the_update(toy, squares):
    step, start, weight = squares(IDS, REAL), embedded(toy), toy.model.get_input_embeddings().weight
    weight.grad = torch.zeros_like(weight)
    weight.grad[3] = torch.tensor([30.0, 40.0])
    PGD(steps=1, step=0.3).backward(step)
    # The row that is not read takes its part of the climb: 50 of the norm is its own.
    worst = start * (1 + 0.3 / math.sqrt(50**2 + start.square().sum().item()))
    torch.testing.assert_close(weight.grad[1:3], start + worst)
    assert weight.grad[3].tolist() == [30.0, 40.0]


def test_relative_lengths_are_in_mean_lengths_of_a_pretrained_embedding(toy, squares):
    mean = toy.pretrained["body.embeddings.weight"].norm(dim=1).mean().item()
    for scope in ("matrix", "example"):
        step, start = squares(IDS, REAL), embedded(toy)
        PGD(steps=3, step=0.3, epsilon=0.7, relative=True, scope=scope).backward(step)
        worst = start * (1 + 0.7 * mean / start.norm())
        assert step.losses[-1] == pytest.approx(worst.square().sum().item() / 2, rel=1e-5)


@pytest.mark.parametrize("scope", ["matrix", "example"])
def test_more_steps_raise_the_loss_of_a_model(micro_step, scope):
    step, last, backward = micro_step("sst2"), [], MicroStep.backward
    step.training.model.eval()
    step.backward = lambda loss: last.append(loss.item()) or backward(step, loss)
    losses = []
    for steps in (1, 2, 4):
        PGD(steps=steps, step=0.2, epsilon=0.8, scope=scope).backward(step)
        step.training.model.zero_grad()
        losses.append(last[-1])
    assert step.loss(step.forward()).item() < losses[0] < losses[1] < losses[2]


def test_all_passes_have_the_same_dropout_masks(micro_step):
    step = micro_step("sst2")
    plain = step.loss(step.forward()).item()
    assert PGD(steps=3, step=0.0, scope="example").backward(step).item() == plain
    assert step.loss(step.forward(repeat=1)).item() != plain


def test_settings():
    assert (PGD().passes(), PGD(steps=2).passes(), PGD(epsilon=0.0).passes()) == ((4, 4), (3, 3), (1, 1))
    with pytest.raises(BadValue, match=r"pgd:init is 0\.1; allowed: 0 for scope=matrix"):
        PGD(init=0.1)
