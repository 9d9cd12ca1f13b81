from __future__ import annotations

import math

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.rslora import RSLoRA
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers

FEW = {"train_examples": 8, "eval_examples": 4}


@pytest.mark.parametrize(("rank", "alpha"), [(4, 8), (16, 8)])
def test_the_update_by_hand(train, rank, alpha):
    training = train("sst2", f"rslora:rank={rank}:alpha={alpha}", **FEW).training
    layer = next(iter(low_rank_layers(training).values())).eval()
    a, b = factors(layer)
    assert b.abs().max() > 0, "B must have learned, or the product says nothing"
    inputs = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    expected = inputs @ (layer.base_layer.weight + alpha / math.sqrt(rank) * b @ a).T + layer.base_layer.bias
    torch.testing.assert_close(layer(inputs), expected, rtol=1e-5, atol=1e-6)


def test_at_equal_scale_it_is_lora_to_the_bit(train):
    """8 / sqrt(4) = 16 / 4."""
    one, other = (train("sst2", f"{text}", **FEW).record for text in ("rslora:rank=4:alpha=8", "lora:rank=4:alpha=16"))
    assert one.curve.loss == other.curve.loss
    assert one.score == other.score


def test_it_has_a_rate_of_its_own():
    assert RSLoRA(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
