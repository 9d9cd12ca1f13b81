from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.harness.optim import build_optimizer
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.regularisation.l2_sp import L2SP

BODY = {f"body.{part}.weight" for part in ("embeddings", "layer.0", "layer.1", "pooler")}
HEAD = {"classifier.weight"}
ALPHA, BETA = 0.5, 0.25


def gradients(toy, technique, away=0.75):
    """The gradients of a toy whose loss has one of 2 everywhere and whose parameters are some way from their start."""
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += away
            parameter.grad = torch.full_like(parameter, 2.0)
    technique.after_backward(toy)
    return {name: p.grad for name, p in toy.model.named_parameters()}


def test_the_gradient_of_the_penalty_by_hand(toy):
    head = toy.model.classifier.weight.detach().clone()
    for name, gradient in gradients(toy, L2SP(ALPHA, BETA)).items():
        expected = torch.full_like(gradient, 2.0 + ALPHA * 0.75 if name in BODY else 2.0)
        if name in HEAD:
            expected = 2.0 + BETA * (head + 0.75)
        torch.testing.assert_close(gradient, expected, msg=lambda m, n=name: f"{n}: {m}")


def test_it_is_the_gradient_of_half_the_squared_distances(toy):
    found = gradients(toy, L2SP(ALPHA, BETA))
    named = dict(toy.model.named_parameters())
    distance = sum((named[n] - toy.pretrained[n]).square().sum() for n in BODY)
    penalty = ALPHA / 2 * distance + BETA / 2 * sum(named[n].square().sum() for n in HEAD)
    toy.model.zero_grad()
    penalty.backward()
    for name in BODY | HEAD:
        torch.testing.assert_close(found[name], named[name].grad + 2.0)


@pytest.mark.parametrize(("technique", "changed"), [(L2SP(0.0, BETA), HEAD), (L2SP(ALPHA, 0.0), BODY)])
def test_each_strength_acts_alone_and_in_place_of_the_decay(toy, technique, changed):
    groups = technique.groups([Group(dict(toy.model.named_parameters()), 0.1, 0.01)], toy)
    assert {n: g.weight_decay for g in groups for n in g.parameters} == {
        n: 0.0 if n in changed else 0.01 for n, _ in toy.model.named_parameters()
    }
    assert {n for n, g in gradients(toy, technique).items() if not (g == 2.0).all()} == changed


def test_without_a_strength_nothing_changes(toy):
    technique, groups = L2SP(0.0, 0.0), [Group(dict(toy.model.named_parameters()), 0.1, 0.01)]
    assert technique.groups(groups, toy) is groups
    assert all((gradient == 2.0).all() for gradient in gradients(toy, technique).values())


def test_what_has_no_gradient_stays_without(toy):
    technique = L2SP()
    toy.model.get_input_embeddings().weight.requires_grad_(False)
    gradients(toy, technique)
    toy.model.zero_grad()
    toy.model.get_input_embeddings().weight.grad = None
    technique.after_backward(toy)
    assert toy.model.get_input_embeddings().weight.grad is None


def test_a_pooler_that_was_not_loaded_and_what_is_added_to_a_block(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    toy.model.body.layer[0].register_parameter("added", nn.Parameter(torch.ones(2, 2)))
    found = gradients(toy, L2SP(ALPHA, 0.0))
    assert (found["body.pooler.weight"] == 2.0).all()
    toy.memory.clear()
    found = gradients(toy, L2SP(ALPHA, BETA))
    assert not (found["body.pooler.weight"] == 2.0).any()
    assert (found["body.layer.0.added"] == 2.0).all()


def test_a_strong_penalty_holds_the_body_near_its_start(train):
    changes = {"eval_examples": 4, "evaluations": 1, "schedule": "constant_with_warmup", "warmup": 0.0}
    changes |= {"weight_decay": 0.0, "epochs": 4}
    free, held = (train("sst2", stack, **changes).record for stack in ("adamw", "l2_sp:alpha=10.0:beta=0"))
    assert held.curve.grad_norm[0] == free.curve.grad_norm[0], "the norm on record is the loss's own"
    assert held.curve.loss[:2] == free.curve.loss[:2], "at the start there is nothing to penalise"
    assert all(h < f / 2 for h, f in zip(held.drift, free.drift, strict=True))


def test_it_says_so_where_there_is_nothing_to_pull(toy, train):
    for name, parameter in toy.model.named_parameters():
        parameter.requires_grad_(name in HEAD)
    with pytest.raises(Unsupported, match="l2_sp finds no matrix in training that has a pre-trained value"):
        build_optimizer(toy, Stack((L2SP(),)))
    record = train("sst2", "lora+l2_sp", train_examples=8, eval_examples=4).record
    assert (record.status, record.score) == ("unsupported", None)
