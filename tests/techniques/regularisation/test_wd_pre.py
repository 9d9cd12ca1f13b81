from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.regularisation.wd_pre import WdPre

BODY = {f"body.{part}.weight" for part in ("embeddings", "layer.0", "layer.1", "pooler")}


def shifted(toy, rate=0.1):
    """The toy with all parameters one above their start, and an optimiser at one rate."""
    start = {name: p.detach().clone() for name, p in toy.model.named_parameters()}
    toy.optimizer = torch.optim.SGD(toy.model.parameters(), lr=rate)
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += 1.0
    return start


def left(toy, start):
    """How much of a distance of 1 from the start is left, by parameter."""
    return {name: (p.detach() - start[name]).mean().item() for name, p in toy.model.named_parameters()}


def test_one_pull_by_hand_of_matrices_and_not_of_the_head(toy):
    start = shifted(toy)
    WdPre(0.5).after_update(toy)
    assert left(toy, start) == pytest.approx({n: 1 - 0.1 * 0.5 if n in BODY else 1.0 for n in start}, abs=1e-6)


def test_each_parameter_is_pulled_at_its_own_rate(toy):
    start, words = shifted(toy), toy.model.get_input_embeddings().weight
    others = [p for p in toy.model.parameters() if p is not words]
    toy.optimizer = torch.optim.SGD([{"params": [words], "lr": 0.2}, {"params": others, "lr": 0.1}])
    WdPre(0.5).after_update(toy)
    found = left(toy, start)
    assert found["body.embeddings.weight"] == pytest.approx(1 - 0.2 * 0.5)
    assert found["body.layer.0.weight"] == pytest.approx(1 - 0.1 * 0.5)


def test_the_decay_towards_zero_is_off_where_it_pulls(toy):
    groups = [Group(dict(toy.model.named_parameters()), 0.1, 0.01)]
    decay = {n: g.weight_decay for g in WdPre().groups(groups, toy) for n in g.parameters}
    assert decay == {n: 0.0 if n in BODY else 0.01 for n in decay}
    assert WdPre(0.0).groups(groups, toy) is groups


def test_a_pooler_that_was_not_loaded_decays_as_before(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    decay = {n: g.weight_decay for g in WdPre().groups([Group(dict(toy.model.named_parameters()), 0.1, 0.01)], toy)
             for n in g.parameters}  # fmt: skip
    assert decay["body.pooler.weight"] == 0.01
    start = shifted(toy)
    WdPre(0.5).after_update(toy)
    assert left(toy, start)["body.pooler.weight"] == pytest.approx(1.0)


def test_in_a_run_at_the_published_strength_the_weights_are_other_ones(train):
    """At a rate of 2e-5 a pull of 1e-3 is lost in rounding, unless it is summed."""
    changes = {"eval_examples": 4, "evaluations": 1, "learning_rate": 2e-5, "weight_decay": 0.0, "epochs": 12}
    free, held = (train("sst2", stack, **changes) for stack in ("adamw", "wd_pre"))
    moved = [n for n, p in held.parameters.items() if not torch.equal(p, free.parameters[n])]
    assert any("encoder.layer" in name for name in moved)


def test_a_strong_pull_holds_the_body_at_its_start(train):
    def distances(stack):
        trained = train("sst2", stack, eval_examples=4, schedule="constant_with_warmup", warmup=0.0)
        found = {n: (trained.parameters[n] - start).norm() for n, start in trained.training.pretrained.items()}
        return {n: distance for n, distance in found.items() if trained.parameters[n].dim() >= 2}

    free, held = distances("adamw"), distances("wd_pre:strength=900.0")
    assert not {n for n, distance in held.items() if distance > 0.2 * free[n]}
