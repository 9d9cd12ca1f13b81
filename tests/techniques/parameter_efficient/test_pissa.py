from __future__ import annotations

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.pissa import PiSSA
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers

FEW = {"train_examples": 8, "eval_examples": 4}


def test_the_largest_singular_values_train_and_the_rest_is_frozen(train):
    training = train("sst2", learning_rate=0.0, **FEW).training
    training.trained = None  # as before the optimiser is built
    PiSSA(rank=4).prepare(training)
    for name, layer in low_rank_layers(training).items():
        pretrained = training.pretrained[f"{name.removeprefix('base_model.model.')}.weight"]
        largest = torch.linalg.svdvals(pretrained)[:4]
        a, b = factors(layer)
        # Random weights have no few large singular values, so that their subspace is found but roughly.
        torch.testing.assert_close(torch.linalg.svdvals(b @ a)[:4], largest, rtol=0.02, atol=0.0)
        torch.testing.assert_close(a.norm(dim=1), largest.sqrt(), rtol=0.02, atol=0.0)
        torch.testing.assert_close(b.norm(dim=0), a.norm(dim=1))
        torch.testing.assert_close(layer.base_layer.weight + b @ a, pretrained, rtol=1e-5, atol=1e-6)
        assert not layer.base_layer.weight.requires_grad
        assert layer.scaling == {"default": 1.0}


def test_its_first_loss_is_the_baselines_up_to_rounding(train):
    base, run = (train("sst2", stack, **FEW).record for stack in ("adamw", "pissa"))
    assert run.curve.loss[0] == pytest.approx(base.curve.loss[0], rel=1e-5)


def test_a_rank_above_the_width_is_declined(train):
    record = train("sst2", "pissa:rank=64", **FEW).record
    assert record.status == "unsupported"
    assert record.reason.endswith("attention.self.query has 32 singular values, below the rank of 64")


def test_it_has_a_rate_of_its_own():
    assert PiSSA(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
