from __future__ import annotations

import pytest
import torch

from bench_lib.errors import Unsupported
from bench_lib.harness.optim import build_optimizer
from bench_lib.techniques.l2_sp import L2SP
from bench_lib.techniques.stack import Stack
from bench_lib.techniques.training import Group

RATE, STRENGTH = 0.1, 0.5
BODY = {"body.embeddings.weight", *(f"body.layer.{i}.{part}" for i in (0, 1) for part in ("weight", "bias"))}
HEAD = {f"{module}.{part}" for module in ("body.pooler", "classifier") for part in ("weight", "bias")}


def shifted(toy, technique):
    """The toy with all parameters one above their start, and an optimiser at one rate."""
    toy.optimizer = build_optimizer(toy, Stack((technique,)))
    for group in toy.optimizer.param_groups:
        group["lr"] = RATE
    start = {name: p.detach().clone() for name, p in toy.model.named_parameters()}
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += 1.0
    return start


def test_one_pull_by_hand_and_neither_pooler_nor_head(toy):
    technique = L2SP(STRENGTH)
    start = shifted(toy, technique)
    technique.after_update(toy)
    # theta - theta_pretrained was 1, so 1 - lr * strength is left of it.
    left = {n: (p.detach() - start[n]).mean().item() for n, p in toy.model.named_parameters()}
    assert left == pytest.approx({n: 1 - RATE * STRENGTH if n in BODY else 1.0 for n in BODY | HEAD}, abs=1e-6)


def test_each_parameter_is_pulled_at_its_own_rate(toy):
    technique = L2SP(STRENGTH)
    start = shifted(toy, technique)
    embeddings = toy.model.get_input_embeddings().weight
    lone = next(g for g in toy.optimizer.param_groups if any(p is embeddings for p in g["params"]))
    lone["lr"] = 0.2
    technique.after_update(toy)
    assert (embeddings.detach() - start["body.embeddings.weight"]).mean().item() == pytest.approx(1 - 0.2 * STRENGTH)


def test_the_pull_replaces_the_decay_towards_zero_but_not_on_pooler_and_head(toy):
    groups = L2SP().groups([Group(dict(toy.model.named_parameters()), RATE, 0.01)], toy)
    decay = {n: g.weight_decay for g in groups for n in g.parameters}
    assert decay == {n: 0.0 if n in BODY else 0.01 for n in BODY | HEAD}


def test_frozen_parameters_stay(toy):
    toy.model.get_input_embeddings().weight.requires_grad_(False)
    technique = L2SP(STRENGTH)
    start = shifted(toy, technique)
    technique.after_update(toy)
    assert torch.equal(toy.model.get_input_embeddings().weight, start["body.embeddings.weight"] + 1.0)


def test_a_strong_pull_holds_the_body_at_its_start(train):
    def distances(stack):
        trained = train("sst2", stack, eval_examples=4, schedule="constant_with_warmup", warmup=0.0)
        return {n: (trained.parameters[n] - start).norm() for n, start in trained.training.pretrained.items()}

    free, held, pooler = distances("adamw"), distances("l2_sp:strength=900.0"), "bert.pooler.dense.weight"
    far = {n for n, distance in held.items() if "pooler" not in n and distance > 0.2 * free[n]}
    assert not far
    assert held[pooler] > 0.5 * free[pooler] > 0


def test_it_says_so_where_there_is_nothing_to_pull(toy, train):
    for name, parameter in toy.model.named_parameters():
        parameter.requires_grad_(name in HEAD)
    with pytest.raises(Unsupported, match="l2_sp finds no parameter in training that has a pre-trained value"):
        build_optimizer(toy, Stack((L2SP(),)))
    record = train("sst2", "lora+l2_sp", train_examples=8, eval_examples=4).record
    assert (record.status, record.score) == ("unsupported", None)
