from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.models.architecture import architecture_of
from bench_lib.techniques.layers.freeze_bottom import FreezeBottom
from bench_lib.techniques.parameter_efficient.ln_only import LNOnly

FEW = {"train_examples": 8, "eval_examples": 4}
HEAD = {"classifier.weight", "classifier.bias"}


@pytest.fixture
def normed(toy):
    """The toy with a norm of either kind in its two blocks."""
    first, second = toy.model.body.layer
    first.output = nn.LayerNorm(2)
    second.output = nn.RMSNorm(2)
    toy.pretrained = {n: p.detach().clone() for n, p in toy.model.named_parameters() if n.startswith("body")}
    return toy


NORMS = {"body.layer.0.output.weight", "body.layer.0.output.bias", "body.layer.1.output.weight"}


def test_norms_and_the_head_learn_and_nothing_else(normed):
    LNOnly().prepare(normed)
    assert normed.trainable().keys() == NORMS | HEAD


def test_what_was_not_pretrained_learns_whole(normed):
    normed.pretrained = {n: p for n, p in normed.pretrained.items() if "pooler" not in n}
    LNOnly().prepare(normed)
    assert normed.trainable().keys() == NORMS | HEAD | {"body.pooler.weight", "body.pooler.bias"}


def test_what_is_frozen_already_stays_frozen(normed):
    FreezeBottom(share=0.5).prepare(normed)
    LNOnly().prepare(normed)
    assert normed.trainable().keys() == {"body.layer.1.output.weight"} | HEAD


def test_norms_are_those_of_the_embeddings_and_of_each_block_and_all_move(train):
    training = train("conll2003", "ln_only", **FEW).training
    body = {n for n in training.trainable() if n.startswith("bert.")}
    assert body == {n for n in training.pretrained if "LayerNorm" in n}
    assert {"bert.embeddings.LayerNorm.bias", "bert.encoder.layer.1.attention.output.LayerNorm.weight"} <= body
    assert not {n for n in body if torch.equal(training.trainable()[n], training.pretrained[n])}


@pytest.mark.parametrize(
    ("name", "parts"),
    [("albert", 6), ("distilbert", 10), ("modernbert", 5), ("deberta", 10), ("mpnet", 10), ("electra", 10)],
)
def test_every_family_has_its_norms_found(families, toy, name, parts):
    """At least two parameters a block, or one where a norm has no shift, and never a matrix."""
    model = families.model(name)
    pretrained = {n: p.detach().clone() for n, p in model.named_parameters() if n.startswith(model.base_model_prefix)}
    training = dataclasses.replace(
        toy, model=model, architecture=architecture_of(model), pretrained=pretrained, memory={}
    )
    LNOnly().prepare(training)
    found = {n: p for n, p in training.trainable().items() if n in pretrained}
    assert len(found) >= min(parts, 5)
    assert all(p.dim() == 1 for p in found.values())


def test_without_a_norm_there_is_nothing_to_learn(toy):
    with pytest.raises(Unsupported, match="ln_only finds no pre-trained norm in ToyModel"):
        LNOnly().prepare(toy)


def test_it_has_a_rate_of_its_own():
    assert LNOnly().configure(Profile()) == Profile(learning_rate=1e-3)
