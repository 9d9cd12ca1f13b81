from __future__ import annotations

import math

import pytest
import torch

from bench_lib.techniques.adversarial.freelb import FreeLB
from bench_lib.techniques.toolkit.embedding_perturbation import uniform_noise

IDS, REAL = [[1, 2]], [[True, True]]


@pytest.mark.parametrize(
    ("norm", "lengths"), [(1.0, (0.0, 0.3, 0.6)), (0.5, (0.0, 0.3, 0.5)), (math.inf, (0.0, 0.3, 0.6))]
)
def test_the_losses_and_gradients_of_all_points_by_hand(toy, squares, norm, lengths):
    """The gradient points away from the origin, so that each step of 0.3 leads there, until the ball ends."""
    step, weight = squares(IDS, REAL), toy.model.get_input_embeddings().weight
    start = weight.detach()[1:3].clone()
    loss = FreeLB(steps=3, step=0.3, init=0.0, norm=norm).backward(step)
    points = [start * (1 + length / start.norm()) for length in lengths]
    losses = [point.square().sum().item() / 2 for point in points]
    assert step.losses == pytest.approx([each / 3 for each in losses], rel=1e-5)
    assert loss.item() == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert not loss.requires_grad
    torch.testing.assert_close(weight.grad[1:3], sum(points) / 3)
    assert step.repeats == [0, 0, 0], "the dropout masks are shared"


def test_it_starts_at_noise_over_the_root_of_the_number_of_values(toy, squares):
    step, weight = squares(IDS, REAL), toy.model.get_input_embeddings().weight
    noise = uniform_noise(step, 2.0, "freelb")[0]
    loss = FreeLB(steps=1, init=2.0, norm=math.inf).backward(step)
    assert noise.abs().max().item() <= 2.0 / math.sqrt(2 * 2)
    assert loss.item() == pytest.approx((weight.detach()[1:3] + noise).square().sum().item() / 2, rel=1e-5)
    kept = FreeLB(steps=1, init=2.0, norm=0.01).backward(step)
    near = weight.detach()[1:3] + noise * 0.01 / noise.norm()
    assert kept.item() == pytest.approx(near.square().sum().item() / 2, rel=1e-5)


def test_at_the_published_settings_for_sst2_the_noise_lies_within_the_ball(micro_step):
    step = micro_step("sst2")
    lengths = uniform_noise(step, FreeLB().init, "freelb").flatten(1).norm(dim=1)
    assert (lengths < FreeLB().norm).all()
    assert lengths.mean().item() == pytest.approx(1 / math.sqrt(3), rel=0.05)


def test_with_dropout_on_equal_points_have_equal_losses(micro_step):
    step, losses = micro_step("conll2003"), []
    backward = step.backward
    step.backward = lambda loss: (losses.append(loss.item()), backward(loss))
    FreeLB(steps=4, step=0.0, init=0.0).backward(step)
    assert len(losses) == 4
    assert len(set(losses)) == 1
    plain, other = (step.loss(step.forward(repeat)).item() for repeat in (0, 1))
    assert losses[0] == pytest.approx(plain / 4, rel=1e-6)
    assert plain != other


def test_it_declares_its_passes():
    assert (FreeLB().passes(), FreeLB(steps=3).passes(), FreeLB(norm=0.0).passes()) == ((2, 2), (3, 3), (1, 1))
