from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.layers.freeze_bottom import FreezeBottom

LAYERS = ("body.embeddings", "body.layer.0", "body.layer.1")


@pytest.mark.parametrize(("share", "frozen"), [(0.0, 0), (0.1, 1), (0.5, 2), (1.0, 3)])
def test_which_parts_are_frozen(toy, share, frozen):
    FreezeBottom(share).prepare(toy)
    still = {name for name, p in toy.model.named_parameters() if not p.requires_grad}
    assert still == {name for name, _ in toy.model.named_parameters() if name.rpartition(".")[0] in LAYERS[:frozen]}


def test_frozen_parts_keep_their_bits_and_the_others_learn(train):
    trained = train("sst2", "freeze_bottom", eval_examples=4)
    start = trained.training.pretrained
    still = {n for n, p in trained.parameters.items() if n in start and torch.equal(p, start[n])}
    frozen = {n for n in trained.parameters if "embeddings" in n or ".layer.0." in n}
    assert frozen <= still
    assert frozen == {n for n, p in trained.training.model.named_parameters() if not p.requires_grad}
    assert not still & {"bert.encoder.layer.1.output.dense.weight", "bert.pooler.dense.weight"}


def test_the_record_counts_what_learns(train):
    few = {"train_examples": 8, "eval_examples": 4}
    frozen, whole = train("sst2", "freeze_bottom", **few).record, train("sst2", **few)
    assert frozen.cost.parameters == whole.record.cost.parameters == whole.record.cost.trainable_parameters
    block = sum(p.numel() for n, p in whole.parameters.items() if ".layer.1." in n)
    assert frozen.cost.trainable_parameters == block + (32 * 32 + 32) + (32 * 2 + 2)
