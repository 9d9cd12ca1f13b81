from __future__ import annotations

import pytest
from torch import nn

from bench_lib.techniques.regularisation.mixconnect import MixConnect
from bench_lib.techniques.toolkit.dropout_rates import dropout_sites
from bench_lib.techniques.toolkit.mixing import MixedLinear

FEW = {"train_examples": 8, "eval_examples": 4}


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_all_linear_layers_of_the_blocks_and_none_of_pooler_and_head(train, task):
    training = train(task, "mixconnect:p=0.9", **FEW).training
    mixed = {n: m for n, m in training.model.named_modules() if isinstance(m, MixedLinear)}
    linear = {n for n, m in training.model.named_modules() if isinstance(m, nn.Linear)}
    assert len(mixed) == 2 * 6
    assert all(name.startswith("bert.encoder.layer.") and not layer.by_input for name, layer in mixed.items())
    assert linear == {"sst2": {"bert.pooler.dense", "classifier"}, "squad": {"qa_outputs"}}.get(task, {"classifier"})


def test_dropout_stays(train):
    assert {site.rate for site in dropout_sites(train("sst2", "mixconnect", **FEW).training.model)} == {0.1}


def test_without_a_strength_it_leaves_all_as_it_is(toy):
    before = dict(toy.model.named_modules())
    MixConnect(p=0.0).prepare(toy)
    assert dict(toy.model.named_modules()) == before
