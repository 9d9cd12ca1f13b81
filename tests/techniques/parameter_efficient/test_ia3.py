from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.ia3 import IA3

FEW = {"train_examples": 8, "eval_examples": 4}
PARTS = ("attention.self.key", "attention.self.value", "output.dense")
VECTORS = {f"base_model.model.bert.encoder.layer.{i}.{part}.ia3_l.default" for i in (0, 1) for part in PARTS}


@pytest.fixture
def training(train):
    return train("sst2", "ia3", **FEW).training


def test_vectors_scale_keys_values_and_inner_activations_and_nothing_else(training):
    found = {n for n, _ in training.model.named_parameters() if "ia3" in n}
    assert found == VECTORS
    assert found < training.trainable().keys()


def test_the_scaling_by_hand(training):
    block = training.model.get_submodule("base_model.model.bert.encoder.layer.0").eval()
    key, last = block.attention.self.key, block.output.dense
    draws = torch.Generator().manual_seed(0)
    for layer in (key, last):
        with torch.no_grad():
            layer.ia3_l["default"].normal_(generator=draws)
    states, inner = torch.randn(5, 32, generator=draws), torch.randn(5, 64, generator=draws)
    scale_of_key, scale_of_inner = key.ia3_l["default"].flatten(), last.ia3_l["default"].flatten()
    expected = (states @ key.base_layer.weight.T + key.base_layer.bias) * scale_of_key
    torch.testing.assert_close(key(states), expected, rtol=1e-5, atol=1e-6)
    expected = (inner * scale_of_inner) @ last.base_layer.weight.T + last.base_layer.bias
    torch.testing.assert_close(last(inner), expected, rtol=1e-5, atol=1e-6)


def test_the_vectors_start_at_one_and_learn(train):
    training = train("sst2", learning_rate=0.0, **FEW).training
    IA3().prepare(training)
    started = {n: p for n, p in training.model.named_parameters() if "ia3" in n}
    assert all((p == 1).all() for p in started.values())
    learnt = train("sst2", "ia3", **FEW).parameters
    moved = {n for n in started if not torch.equal(learnt[n], started[n])}
    # The key's factors have a gradient too; the values' always move.
    assert {n for n in VECTORS if "key" not in n} <= moved


def test_the_vectors_do_not_decay_and_the_head_does(training):
    names = {id(p): n for n, p in training.trainable().items()}
    decay = {names[id(p)]: group["weight_decay"] for group in training.optimizer.param_groups for p in group["params"]}
    assert {decay[n] for n in VECTORS} == {0.0}
    assert decay["base_model.model.classifier.modules_to_save.default.weight"] == training.profile.weight_decay == 0.01
    assert decay.keys() == training.trainable().keys()


def test_what_peft_does_not_know_is_refused(train):
    record = train("sst2", "mixout+ia3", **FEW).record
    assert record.status == "unsupported"
    assert "peft does not take this model" in record.reason


def test_an_encoder_that_peft_knows_in_part_is_refused(encoders):
    training = encoders("Bert")
    block = training.model.get_submodule("bert.encoder.layer.2")
    block.outer = block.output  # the inner activations' place under a name of its own
    del block.output
    with pytest.raises(Unsupported, match="ia3 finds 8 of its places in 3 blocks and needs 9"):
        IA3().prepare(training)


def test_it_has_a_rate_of_its_own():
    assert IA3().configure(Profile()) == Profile(learning_rate=3e-3)
