from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.techniques.regularisation.mixout import Mixout
from bench_lib.techniques.toolkit.dropout_rates import dropout_sites
from bench_lib.techniques.toolkit.mixing import MixedLinear

FEW = {"train_examples": 8, "eval_examples": 4}


def mixed(training):
    return {name: module for name, module in training.model.named_modules() if isinstance(module, MixedLinear)}


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_all_linear_layers_of_the_body_and_not_the_head(train, task):
    training = train(task, "mixout:p=0.9", **FEW).training
    layers = mixed(training)
    # The body of a model for whole texts alone has a pooler.
    assert len(layers) == 2 * 6 + (task == "sst2")
    assert all(name.startswith("bert.") and layer.by_input and layer.p == 0.9 for name, layer in layers.items())
    linear = {n for n, m in training.model.named_modules() if isinstance(m, nn.Linear)}
    assert linear == {"qa_outputs" if task == "squad" else "classifier"}


def test_no_dropout_is_left(train):
    assert {site.rate for site in dropout_sites(train("sst2", "adamw", **FEW).training.model)} == {0.1}
    assert {site.rate for site in dropout_sites(train("sst2", "mixout", **FEW).training.model)} == {0.0}
    later = train("sst2", "mixout+dropout:hidden=0.3:attention=None:head=None", **FEW).training.model
    assert {site.rate for site in dropout_sites(later)} == {0.0, 0.3}


def test_without_a_strength_it_leaves_all_as_it_is(toy):
    before = dict(toy.model.named_modules())
    Mixout(p=0.0).prepare(toy)
    assert dict(toy.model.named_modules()) == before


def test_a_pooler_that_was_not_loaded_is_left_out(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    Mixout().prepare(toy)
    assert mixed(toy).keys() == {"body.layer.0", "body.layer.1"}


def test_the_starting_point_is_the_loaded_weight(train):
    training = train("sst2", "reinit+mixout", **FEW).training
    layers = mixed(training)
    assert layers
    assert all(torch.equal(m.get_buffer("pretrained"), training.pretrained[f"{n}.weight"]) for n, m in layers.items())


@pytest.mark.parametrize("stack", ["lora+mixout", "mixout+lora"])
def test_frozen_weights_under_lora_cannot_be_mixed(train, stack):
    record = train("sst2", stack, **FEW).record
    assert record.status == "unsupported"
    assert "mixout" in record.reason.lower() or "MixedLinear" in record.reason


@pytest.mark.parametrize("stack", ["r_drop+mixout", "mixout+r_drop"])
def test_what_needs_the_dropout_that_it_takes_is_declined(train, stack):
    record = train("sst2", stack, **FEW).record
    assert record.status == "unsupported"
    assert "r_drop compares two passes with dropout" in record.reason


@pytest.mark.parametrize("stack", ["mixout+mixconnect", "mixconnect+mixout"])
def test_the_two_forms_are_not_mixed_with_each_other(train, stack):
    record = train("sst2", stack, **FEW).record
    assert record.status == "unsupported"
    assert record.reason.startswith(f"{stack.split('+')[1]} finds the layers mixed already")
