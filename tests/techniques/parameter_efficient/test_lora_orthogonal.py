from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import BadValue
from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.lora_orthogonal import LoRAOrthogonal
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers

FEW = {"train_examples": 8, "eval_examples": 4}


def test_the_factors_are_not_zero_and_their_product_is(train):
    training = train("sst2", learning_rate=0.0, **FEW).training
    training.trained = None  # as before the optimiser is built
    LoRAOrthogonal(rank=6).prepare(training)
    for layer in low_rank_layers(training).values():
        a, b = factors(layer)
        assert (a.shape, b.shape) == ((6, 32), (32, 6))
        assert min(a.norm(), b.norm()) > 0.5
        assert (b @ a).abs().max() < 1e-6
        assert torch.linalg.matrix_rank(a, rtol=1e-3) == torch.linalg.matrix_rank(b, rtol=1e-3) == 3


def test_its_first_loss_is_the_baselines_up_to_rounding(train):
    base, run = (train("sst2", stack, **FEW).record for stack in ("adamw", "lora_orthogonal"))
    assert run.curve.loss[0] == pytest.approx(base.curve.loss[0], rel=1e-5)


def test_an_odd_rank_is_refused():
    with pytest.raises(BadValue, match="lora_orthogonal:rank is 3; allowed: an even number, 2 or more"):
        LoRAOrthogonal(rank=3)


def test_it_has_a_rate_of_its_own():
    assert LoRAOrthogonal(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
