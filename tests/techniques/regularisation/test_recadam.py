from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.harness.optim import build_optimizer
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.regularisation.recadam import REFERENCE_STEPS, RecAdam

RATE = 0.01
BODY, HEAD = "body.layer.0.weight", "classifier.weight"


def test_one_step_by_hand(toy):
    """The first step of Adam with bias correction is lr * sign(g); eps does not show at a gradient of 2."""
    toy.total_steps = REFERENCE_STEPS
    technique = RecAdam(gamma=30.0, k=0.5, t0=3.0)
    share = 1 / (1 + math.exp(-0.5 * (1 - 3)))
    weights = {n: p.detach().clone() for n, p in toy.model.named_parameters()}
    toy.optimizer = build_optimizer(toy, Stack((technique,)))
    for group in toy.optimizer.param_groups:
        group["lr"] = RATE
    away = 0.25
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += away
            parameter.grad = torch.full_like(parameter, 2.0)
    technique.after_backward(toy)
    toy.optimizer.step()
    technique.after_update(toy)
    # Adam first, then the pull of what is left to the start; the head decays and steps as in AdamW.
    body = (away - RATE * share) * (1 - RATE * (1 - share) * 30.0)
    named = dict(toy.model.named_parameters())
    torch.testing.assert_close(named[BODY].detach(), weights[BODY] + body, rtol=0, atol=1e-6)
    head = (weights[HEAD] + away) * (1 - RATE * toy.profile.weight_decay) - RATE
    torch.testing.assert_close(named[HEAD].detach(), head, rtol=0, atol=1e-6)
    assert {group["lr"] for group in toy.optimizer.param_groups} == {RATE}


def test_lambda_by_hand_and_scaled_to_the_run():
    technique = RecAdam(k=0.1, t0=250.0)
    assert technique._learning_share(249, REFERENCE_STEPS) == 0.5
    assert technique._learning_share(259, REFERENCE_STEPS) == pytest.approx(1 / (1 + math.exp(-1)))
    assert technique._learning_share(0, REFERENCE_STEPS) == pytest.approx(1 / (1 + math.exp(24.9)), rel=1e-3)
    # A tenth of the steps: each counts for ten.
    assert technique._learning_share(24, REFERENCE_STEPS // 10) == 0.5
    assert technique._learning_share(25, REFERENCE_STEPS // 10) == pytest.approx(1 / (1 + math.exp(-1)))


@given(
    k=st.one_of(st.floats(1e-6, 1e6), st.just(math.inf)),
    t0=st.floats(0, 1e6),
    steps=st.integers(2, 10**6),
    data=st.data(),
)
def test_lambda_is_a_share_that_never_falls(k, t0, steps, data):
    technique = RecAdam(k=k, t0=t0)
    early, late = sorted(data.draw(st.tuples(*[st.integers(0, steps - 1)] * 2)))
    one, other = technique._learning_share(early, steps), technique._learning_share(late, steps)
    assert 0 <= one <= other <= 1


def test_with_infinite_k_it_is_a_switch():
    technique = RecAdam(k=math.inf, t0=250.0)
    assert [technique._learning_share(step, REFERENCE_STEPS) for step in (0, 248, 249, 250)] == [0.0, 0.0, 0.5, 1.0]
    assert RecAdam(k=math.inf, t0=0.0)._learning_share(0, 10) == 1.0


def test_before_t0_the_body_stays_with_its_pooler_and_the_head_learns(train):
    changes = {"eval_examples": 4, "evaluations": 1, "schedule": "constant_with_warmup", "warmup": 0.0}
    trained = train("sst2", "recadam:k=inf:t0=1000000.0", **changes)
    assert "bert.pooler.dense.bias" in trained.training.pretrained
    assert all(torch.equal(trained.parameters[n], start) for n, start in trained.training.pretrained.items())
    assert trained.parameters["classifier.bias"].abs().max() > 0


def test_a_pooler_that_was_not_loaded_learns_from_the_start(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    technique = RecAdam(k=math.inf, t0=1e6)
    toy.optimizer = build_optimizer(toy, Stack((technique,)))
    for parameter in toy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {n: p.detach().clone() for n, p in toy.model.named_parameters()}
    technique.after_backward(toy)
    toy.optimizer.step()
    technique.after_update(toy)
    moved = {n for n, p in toy.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {f"{module}.{part}" for module in ("body.pooler", "classifier") for part in ("weight", "bias")}


def test_lora_leaves_nothing_to_remember(train):
    assert "recadam finds no parameter" in train("sst2", "lora+recadam", train_examples=8).record.reason
