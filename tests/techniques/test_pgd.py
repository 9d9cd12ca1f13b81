from __future__ import annotations

import math

import pytest
import torch

from bench_lib.errors import BadValue
from bench_lib.techniques.adversarial import uniform_noise
from bench_lib.techniques.pgd import PGD

IDS, REAL = [[1, 2]], [[True, True]]


def embedded(toy):
    return toy.model.get_input_embeddings().weight.detach()[1:3].clone()


@pytest.mark.parametrize(
    ("steps", "epsilon", "reached"), [(2, 1.0, 0.6), (3, 1.0, 0.9), (3, 0.7, 0.7), (2, math.inf, 0.6)]
)
def test_the_loss_and_the_gradient_at_the_end_by_hand(toy, squares, steps, epsilon, reached):
    """The gradient points away from the origin, so that each step of 0.3 leads there, until the ball ends."""
    step, start = squares(IDS, REAL), embedded(toy)
    loss = PGD(steps=steps, step=0.3, epsilon=epsilon, init=0.0).backward(step)
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
        loss = PGD(steps=1, step=0.3, epsilon=epsilon, init=2.0).backward(step)
        assert loss.item() == pytest.approx((start + shift).square().sum().item() / 2, rel=1e-5)


def test_more_steps_raise_the_loss_of_a_model(micro_step):
    step = micro_step("sst2")
    losses = [PGD(steps=k, step=0.2, epsilon=0.8, init=0.0).backward(step).item() for k in (1, 2, 4)]
    assert step.loss(step.forward()).item() < losses[0] < losses[1] < losses[2]


def test_all_passes_have_the_same_dropout_masks(micro_step):
    step = micro_step("sst2")
    plain = step.loss(step.forward()).item()
    assert PGD(steps=3, step=0.0, init=0.0).backward(step).item() == plain
    assert step.loss(step.forward(repeat=1)).item() != plain


def test_settings():
    assert (PGD().passes(), PGD(steps=3).passes(), PGD(epsilon=0.0).passes()) == ((3, 3), (4, 4), (1, 1))
    for setting, value in (("steps", 0), ("step", math.inf), ("init", math.inf), ("epsilon", -1.0)):
        with pytest.raises(BadValue, match=f"pgd:{setting}"):
            PGD(**{setting: value})
