from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bench_lib.harness.drift import drift
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION
from bench_lib.techniques.interface.context import Training

Prepare = Callable[..., Training]


def test_nothing_moved_yet(prepare: Prepare) -> None:
    assert drift(prepare(TEXT_CLASSIFICATION)) == (0.0, 0.0, 0.0)


def test_by_level_and_by_hand(prepare: Prepare) -> None:
    training = prepare(TOKEN_CLASSIFICATION)
    with torch.no_grad():
        for name, parameter in training.model.named_parameters():
            # Embeddings stand, the first block doubles, the second turns round, the head goes where it likes.
            parameter.mul_(1.0 if "embeddings" in name else 2.0 if "layer.0." in name else -1.0)
    assert drift(training) == pytest.approx((0.0, 1.0, 2.0), rel=1e-6)


def test_it_is_relative_to_the_whole_level_and_not_a_mean_of_ratios(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    name = "bert.encoder.layer.0.output.dense.bias"
    with torch.no_grad():
        training.model.get_parameter(name).add_(3.0)
    block = [p for n, p in training.pretrained.items() if ".layer.0." in n]
    whole = sum(p.double().square().sum().item() for p in block) ** 0.5
    width = training.model.get_parameter(name).numel()
    assert drift(training)[1] == pytest.approx(3.0 * width**0.5 / whole, rel=1e-5)


def test_pooler_and_head_are_left_out(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    with torch.no_grad():
        for name in ("bert.pooler.dense.weight", "classifier.weight"):
            training.model.get_parameter(name).add_(1.0)
    assert drift(training) == (0.0, 0.0, 0.0)


def test_unknown_names_give_no_figure(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    training.pretrained = {f"base_model.{name}": p for name, p in training.pretrained.items()}
    assert drift(training) == ()
