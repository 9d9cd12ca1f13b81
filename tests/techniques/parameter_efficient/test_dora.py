from __future__ import annotations

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.dora import DoRA
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers

FEW = {"train_examples": 8, "eval_examples": 4}


def test_the_update_by_hand(train):
    training = train("sst2", "dora:rank=4:alpha=8", **FEW).training
    layer = next(iter(low_rank_layers(training).values())).eval()
    a, b = factors(layer)
    lengths = layer.lora_magnitude_vector["default"].weight
    direction = layer.base_layer.weight + 8 / 4 * b @ a
    assert b.abs().max() > 0, "B must have learned, or the product says nothing"
    assert not torch.equal(lengths, layer.base_layer.weight.norm(dim=1)), "nor have the lengths"
    weight = lengths[:, None] * direction / direction.norm(dim=1, keepdim=True)
    inputs = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(inputs), inputs @ weight.T + layer.base_layer.bias, rtol=1e-5, atol=1e-6)


def test_lengths_start_as_those_of_the_pretrained_rows_and_train(train):
    training = train("sst2", learning_rate=0.0, **FEW).training
    training.trained = None  # as before the optimiser is built
    DoRA().prepare(training)
    for name, layer in low_rank_layers(training).items():
        lengths = layer.lora_magnitude_vector["default"].weight
        torch.testing.assert_close(lengths, layer.base_layer.weight.norm(dim=1))
        assert f"{name}.lora_magnitude_vector.default.weight" in training.trainable()


def test_it_has_a_rate_of_its_own():
    assert DoRA(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
