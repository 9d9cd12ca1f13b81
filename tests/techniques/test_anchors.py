from __future__ import annotations

import pytest
import torch

from bench_lib.errors import Unsupported
from bench_lib.techniques.anchors import anchors, matrices, pull, with_start, without_decay
from bench_lib.techniques.training import Group

MATRICES = {f"body.{part}.weight" for part in ("embeddings", "layer.0", "layer.1", "pooler")}
BODY = MATRICES | {f"body.{part}.bias" for part in ("layer.0", "layer.1", "pooler")}


def moved(toy, rate):
    """Anchors of the toy, whose parameters are one above them, under an optimiser at one rate."""
    toy.optimizer = torch.optim.SGD(toy.model.parameters(), lr=rate)
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += 1.0
    return anchors(toy, with_start(toy, "someone"))


def test_the_body_has_a_start_if_it_was_loaded_and_the_head_has_none(toy):
    assert with_start(toy, "someone").keys() == BODY
    assert with_start(toy, "someone", matrices_only=True).keys() == MATRICES
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    assert with_start(toy, "someone").keys() == {n for n in BODY if "pooler" not in n}


def test_matrices_are_what_has_two_dimensions(toy):
    named = dict(toy.model.named_parameters())
    assert matrices(named).keys() == MATRICES | {"classifier.weight"}
    assert all(parameter is named[name] for name, parameter in matrices(named).items())


def test_the_pull_by_hand_ends_at_the_anchor(toy):
    for rate, left in ((0.1, 0.8), (0.5, 0.0), (3.0, 0.0)):
        anchored = moved(toy, rate)
        parameter, start = anchored[0]
        with torch.no_grad():
            parameter.copy_(start + 1.0)
        pull(toy, anchored, 2.0)
        torch.testing.assert_close(parameter.detach(), start + left)


def test_what_a_phase_has_frozen_is_not_pulled(toy):
    anchored = moved(toy, 0.1)
    frozen, free = anchored[0][0], anchored[1][0]
    before = frozen.detach().clone(), free.detach().clone()
    frozen.requires_grad_(False)
    pull(toy, anchored, 1.0)
    assert torch.equal(frozen, before[0])
    assert not torch.equal(free, before[1])


def test_groups_keep_their_rates_and_lose_their_decay_where_they_are_named(toy):
    parameters = dict(toy.model.named_parameters())
    lower = {n: p for n, p in parameters.items() if "layer.0" in n}
    upper = {n: p for n, p in parameters.items() if n not in lower}
    groups = without_decay([Group(lower, 0.1, 0.3), Group(upper, 0.2, 0.3)], MATRICES)
    assert all(group.parameters for group in groups)
    assert {n: (g.learning_rate, g.weight_decay) for g in groups for n in g.parameters} == {
        n: (0.1 if n in lower else 0.2, 0.0 if n in MATRICES else 0.3) for n in parameters
    }


def test_without_any_start_the_technique_is_named(toy):
    toy.trained = {n: p for n, p in toy.model.named_parameters() if n.endswith("bias")}
    with pytest.raises(Unsupported, match="someone finds no matrix in training"):
        with_start(toy, "someone", matrices_only=True)
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="someone finds no parameter in training"):
        with_start(toy, "someone")
