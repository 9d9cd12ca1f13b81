from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.layers.freeze_bottom import FreezeBottom
from bench_lib.techniques.parameter_efficient.bitfit import BitFit

FEW = {"train_examples": 8, "eval_examples": 4}
BIASES = {"body.layer.0.bias", "body.layer.1.bias", "body.pooler.bias"}
HEAD = {"classifier.weight", "classifier.bias"}


def test_biases_and_the_head_learn_and_nothing_else(toy):
    BitFit().prepare(toy)
    assert toy.trainable().keys() == BIASES | HEAD


def test_what_was_not_pretrained_learns_whole(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    BitFit().prepare(toy)
    assert toy.trainable().keys() == BIASES | HEAD | {"body.pooler.weight"}


def test_what_is_frozen_already_stays_frozen(toy):
    FreezeBottom(share=0.5).prepare(toy)
    BitFit().prepare(toy)
    assert toy.trainable().keys() == (BIASES | HEAD) - {"body.layer.0.bias"}


def test_biases_are_those_of_layers_and_norms_and_all_move(train):
    training = train("conll2003", "bitfit", **FEW).training
    body = {n for n in training.trainable() if n.startswith("bert.")}
    assert body == {n for n in training.pretrained if n.endswith(".bias")}
    assert {"bert.embeddings.LayerNorm.bias", "bert.encoder.layer.1.intermediate.dense.bias"} <= body
    # A key's bias adds the same to all scores of a query, which the softmax does not see; rounding alone moves it.
    still = {n for n in body if torch.equal(training.trainable()[n], training.pretrained[n])}
    assert still <= {n for n in body if "key" in n}


def test_without_a_bias_there_is_nothing_to_learn(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if n.endswith("weight")}
    with pytest.raises(Unsupported, match="no pre-trained bias"):
        BitFit().prepare(toy)


def test_it_has_a_rate_of_its_own():
    assert BitFit().configure(Profile()) == Profile(learning_rate=1e-3)
