from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from bench_lib.models.architecture import architecture_of
from bench_lib.techniques.toolkit.linear_probing import in_head, probing

HEAD = {"classifier.weight", "classifier.bias"}


def test_the_head_is_what_lies_outside_the_body(toy):
    head = in_head(toy)
    assert {name for name, _ in toy.model.named_parameters() if head(name)} == HEAD
    phase = probing(toy, 0.5)
    assert (phase.first_step, phase.learning_rate) == (0, 0.5)
    assert {name for name, _ in toy.model.named_parameters() if phase.trains(name)} == HEAD


@pytest.mark.parametrize("body", ["bert", "model"])
def test_a_wrapper_before_all_names_is_seen_through(body):
    """Also where the body is called as a part of the wrapper is."""
    model = nn.Module()
    parts = {"embeddings": nn.Embedding(2, 2), "layer": nn.ModuleList([nn.Linear(2, 2)]), "norm": nn.LayerNorm(2)}
    model.add_module(body, nn.ModuleDict(parts))
    model.classifier = nn.Linear(2, 2)
    model.base_model_prefix = body
    architecture = architecture_of(model)
    wrapped = nn.Module()
    wrapped.base_model = nn.Module()
    wrapped.base_model.model = model
    head = in_head(SimpleNamespace(model=wrapped, architecture=architecture))
    found = {name for name, _ in wrapped.named_parameters() if head(name)}
    assert found == {f"base_model.model.{name}" for name in HEAD}
