from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from bench_lib.core.errors import Diverged
from bench_lib.harness.gradients import MOST_SKIPPED, Gradients
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.interface.technique import Technique

Prepare = Callable[..., Training]


def filled(training: Training, value: float = 1.0) -> Training:
    for parameter in training.trainable().values():
        parameter.grad = torch.full_like(parameter, value)
    return training


def count(training: Training, part: str = "") -> int:
    return sum(p.numel() for name, p in training.trainable().items() if part in name)


def test_norms_by_hand_and_before_the_clipping(prepare: Prepare) -> None:
    training = filled(prepare(TEXT_CLASSIFICATION, clip_norm=1.0), 2.0)
    norms = Gradients(training, Stack(())).settle()
    assert norms.whole.item() == pytest.approx(2 * count(training) ** 0.5, rel=1e-5)
    assert norms.first_block.item() == pytest.approx(2 * count(training, ".layer.0.") ** 0.5, rel=1e-5)
    assert norms.last_block.item() == pytest.approx(2 * count(training, ".layer.1.") ** 0.5, rel=1e-5)
    assert norms.clipped.item() is True
    assert norms.usable
    after = torch.cat([p.grad.flatten() for p in training.trainable().values() if p.grad is not None])
    assert after.norm().item() == pytest.approx(1.0, rel=1e-3)


def test_what_is_below_the_limit_is_not_clipped(prepare: Prepare) -> None:
    for limit in (1e9, math.inf):
        training = filled(prepare(TEXT_CLASSIFICATION, clip_norm=limit))
        assert Gradients(training, Stack(())).settle().clipped.item() is False
        assert all(torch.all(p.grad == 1.0) for p in training.trainable().values() if p.grad is not None)


class Scales(Technique):
    """Scales every gradient."""

    name = "scales"
    paper = "none"
    identity = None

    factor = 1e-6

    def after_backward(self, training: Training) -> None:
        for parameter in training.trainable().values():
            if parameter.grad is not None:
                parameter.grad *= self.factor


def test_clipping_follows_the_techniques_and_the_norm_goes_before_them(prepare: Prepare) -> None:
    training = filled(prepare(TEXT_CLASSIFICATION, clip_norm=1.0))
    norms = Gradients(training, Stack((Scales(),))).settle()
    assert norms.whole.item() == pytest.approx(count(training) ** 0.5, rel=1e-5)
    assert norms.clipped.item() is False


def test_frozen_blocks_have_a_norm_of_zero(prepare: Prepare) -> None:
    training = filled(prepare(TEXT_CLASSIFICATION))
    for name, parameter in training.trainable().items():
        if ".layer." in name:
            parameter.grad = None
    norms = Gradients(training, Stack(())).settle()
    assert (norms.first_block.item(), norms.last_block.item()) == (0.0, 0.0)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_one_bad_number_makes_a_gradient_unusable(prepare: Prepare, bad: float) -> None:
    training = filled(prepare(TEXT_CLASSIFICATION))
    gradients = Gradients(training, Stack(()))
    weight = training.model.get_parameter("bert.encoder.layer.0.output.dense.weight")
    assert weight.grad is not None
    weight.grad[0, 0] = bad
    assert not gradients.settle().usable
    assert (gradients.skipped, gradients.skipped_in_a_row) == (1, 1)
    filled(training)
    assert gradients.settle().usable
    assert (gradients.skipped, gradients.skipped_in_a_row) == (1, 0)


def test_too_many_in_a_row_end_the_run(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    training.total_steps = 1000
    gradients = Gradients(training, Stack(()))
    for step in range(1, MOST_SKIPPED):
        filled(training, math.nan)
        gradients.settle()
        gradients.check(step)
    filled(training, math.nan)
    gradients.settle()
    with pytest.raises(Diverged, match=f"after {MOST_SKIPPED} such steps in a row, was not finite at step 20"):
        gradients.check(MOST_SKIPPED)
