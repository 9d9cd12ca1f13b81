from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION
from bench_lib.techniques.data.mixup import Mixup, _partners

HALF = (0.25, torch.tensor([1, 0]))


def with_draw(monkeypatch, weight, order):
    monkeypatch.setattr(Mixup, "_drawn", lambda _self, _step: (weight, order))


def test_the_mixture_and_its_loss_by_hand(micro_step, monkeypatch):
    """The head on the mixed representations, computed outside of the model, against both texts' targets."""
    step = micro_step("sst2")
    model, weight, order = step.training.model.eval(), 0.25, torch.tensor([2, 0, 3, 1])
    with_draw(monkeypatch, weight, order)
    whole = step.forward(hidden=True)
    mixed = weight * whole.hidden[-1] + (1 - weight) * whole.hidden[-1][order]
    logits = model.classifier(model.bert.pooler(mixed))
    costs = -logits.log_softmax(-1)
    targets = whole.targets[0]
    rows = weight * costs[torch.arange(4), targets] + (1 - weight) * costs[torch.arange(4), targets[order]]
    gradient = torch.autograd.grad(rows.mean(), model.classifier.weight)[0]
    loss = Mixup().backward(step)
    assert loss.item() == pytest.approx(rows.mean().item(), rel=1e-5)
    torch.testing.assert_close(model.classifier.weight.grad, gradient)
    assert not loss.requires_grad


def test_the_loss_on_two_rows_by_hand(given_step, toy, monkeypatch):
    with_draw(monkeypatch, *HALF)
    step = given_step([torch.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)], torch.tensor([0, 1]))
    step.training = toy
    own = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2
    others = (math.log(1 + math.exp(2)) + math.log(1 + math.exp(1))) / 2
    assert Mixup().backward(step).item() == pytest.approx(0.25 * own + 0.75 * others, rel=1e-5)


def test_of_a_set_every_label_comes_from_the_partner():
    order = torch.tensor([2, 0, 1])
    assert _partners(torch.tensor([5.0, 6.0, 7.0]), order).tolist() == [7, 5, 6]
    assert _partners(torch.tensor([1, 0, 0, 1, 1, 1]), order).tolist() == [1, 1, 1, 0, 0, 1]


def test_lambda_is_beta_and_of_the_whole_batch(micro_step):
    step, drawn = micro_step("sst2"), []
    for step.training.step in range(400):
        step.number = 0
        weight, order = Mixup(alpha=0.2)._drawn(step)
        step.number = 1
        assert Mixup(alpha=0.2)._drawn(step)[0] == weight, "one for all parts of a batch"
        assert sorted(order.tolist()) == [0, 1, 2, 3]
        drawn.append(weight)
    # Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)).
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.06)
    assert np.var(drawn) == pytest.approx(1 / 5.6, rel=0.15)
    assert len({tuple(Mixup()._drawn(step)[1].tolist()) for step.training.step in range(60)}) > 15


def test_the_global_generators_draw_nothing(micro_step):
    step = micro_step("sst2")
    state = np.random.get_state()[1].copy()
    torch_state = torch.get_rng_state()
    Mixup()._drawn(step)
    assert (np.random.get_state()[1] == state).all()
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_without_alpha_it_is_one_ordinary_pass(given_step):
    step = given_step([torch.tensor([[2.0, 0.0]], requires_grad=True)], torch.tensor([0]))
    Mixup(alpha=0.0).backward(step)
    assert step.calls == [(0, False, False)]
    assert Mixup().passes() == Mixup(alpha=0.0).passes() == (1, 1)


def test_what_has_no_representation_to_mix_is_declined():
    assert Mixup().declines(TEXT_CLASSIFICATION) is None
    assert "place by place" in Mixup().declines(TOKEN_CLASSIFICATION)
    assert "places of their own" in Mixup().declines(QUESTION_ANSWERING)
