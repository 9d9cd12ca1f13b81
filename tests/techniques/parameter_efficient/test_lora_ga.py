from __future__ import annotations

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.lora_ga import LoRAGA
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers

FEW = {"train_examples": 8, "eval_examples": 4}


@pytest.fixture
def step(micro_step):
    """A micro-batch of four texts for a model with LoRA's factors, which have hardly moved."""
    return micro_step("sst2", "lora:rank=4:alpha=8:learning_rate=1e-30")


def gradients(step, layers):
    weights = [layer.base_layer.weight.requires_grad_(True) for layer in layers]
    step.backward(step.loss(step.forward(full_precision=True)))
    found = [weight.grad.clone() for weight in weights]
    for weight in weights:
        weight.grad = None
    return found


def test_the_factors_are_singular_vectors_of_the_gradient(step):
    layers = low_rank_layers(step.training)
    expected = gradients(step, layers.values())
    LoRAGA(rank=4, alpha=8, gamma=4.0).estimate(step.training, [step])
    scale = 32**0.25 / 2
    for (name, layer), gradient in zip(layers.items(), expected, strict=True):
        # What singular vectors are taken, by the values that the gradient has there.
        values, (a, b) = torch.linalg.svdvals(gradient), factors(layer)
        allowed = {"rtol": 0.01, "atol": 1e-3 * values[0].item()}
        torch.testing.assert_close(torch.linalg.svdvals(gradient @ a.T / scale), values[:4], **allowed)
        torch.testing.assert_close(torch.linalg.svdvals(b.T / scale @ gradient), values[4:8], **allowed)
        for orthonormal in (a / scale, b.T / scale):
            torch.testing.assert_close(orthonormal @ orthonormal.T, torch.eye(4), rtol=0.0, atol=1e-4)
        pretrained = step.training.pretrained[f"{name.removeprefix('base_model.model.')}.weight"]
        torch.testing.assert_close(layer.base_layer.weight + 2 * b @ a, pretrained, rtol=1e-5, atol=1e-5)
        assert not layer.base_layer.weight.requires_grad
        assert layer.base_layer.weight.grad is None


@pytest.mark.parametrize(("examples", "read"), [(1, 1), (4, 1), (5, 2), (100, 3)])
def test_it_reads_as_many_examples_as_it_says(step, examples, read):
    steps = iter([step] * 3)
    LoRAGA(rank=4, alpha=8, examples=examples).estimate(step.training, steps)
    assert len(list(steps)) == 3 - read


def test_its_first_loss_is_the_baselines_up_to_rounding_and_only_the_factors_train(train):
    base, run = (train("sst2", stack, **FEW) for stack in ("adamw", "lora_ga"))
    assert run.record.curve.loss[0] == pytest.approx(base.record.curve.loss[0], rel=1e-5)
    parts = {name.split(".")[-3] for name in run.training.trainable()}
    assert parts == {"lora_A", "lora_B", "modules_to_save"}


def test_a_rank_above_half_the_width_is_declined(train):
    record = train("sst2", "lora_ga:rank=17", **FEW).record
    assert record.status == "unsupported"
    assert record.reason.endswith("attention.self.query has 32 singular values, below twice the rank of 17")


def test_it_has_a_rate_of_its_own():
    assert LoRAGA(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
