from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, kl_div

from bench_lib.techniques.r_drop import RDrop, symmetric_kl

ODDS = torch.tensor([[3.0, 1.0], [1.0, 1.0]])
"""Logits whose probabilities are 3/4, 1/4 and 1/2, 1/2."""


def test_symmetric_kl_by_hand():
    p, q = ODDS.log()[:1], ODDS.log()[1:]
    forward = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    backward = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert symmetric_kl(p, q).item() == pytest.approx((forward + backward) / 2, rel=1e-6)
    # The mean over rows: a second row that agrees halves it.
    with_equal_row = symmetric_kl(torch.cat([p, q]), torch.cat([q, q])).item()
    assert with_equal_row == pytest.approx((forward + backward) / 4, rel=1e-6)


logits = st.lists(st.floats(-20, 20, width=32), min_size=6, max_size=6)


@given(a=logits, b=logits)
@settings(deadline=None, max_examples=60)
def test_symmetric_kl_is_symmetric_not_negative_and_zero_on_equal_inputs(a, b):
    a, b = torch.tensor(a).view(2, 3), torch.tensor(b).view(2, 3)
    assert symmetric_kl(a, b).item() >= 0
    assert symmetric_kl(a, b).item() == pytest.approx(symmetric_kl(b, a).item(), rel=1e-5)
    assert symmetric_kl(a, a.clone()).item() == 0
    log_a, log_b = a.double().log_softmax(-1), b.double().log_softmax(-1)
    both = [kl_div(x, y, log_target=True, reduction="batchmean") for x, y in ((log_a, log_b), (log_b, log_a))]
    assert symmetric_kl(a, b).item() == pytest.approx(sum(both).item() / 2, rel=1e-3, abs=1e-5)


def test_masked_positions_add_nothing_forward_or_backward():
    masked = torch.tensor([[math.log(3), 0.0, -torch.inf]], requires_grad=True)
    other = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    loss = symmetric_kl(masked, other)
    assert loss.item() == pytest.approx(symmetric_kl(ODDS.log()[:1], ODDS.log()[1:]).item(), rel=1e-6)
    loss.backward()
    assert masked.grad.isfinite().all()
    assert masked.grad[0, 2] == other.grad[0, 2] == 0


def passes():
    first = torch.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    second = torch.tensor([[0.0, 0.3], [-1.0, 1.0]], requires_grad=True)
    return first, second, torch.tensor([0, 1])


def test_loss_is_the_mean_cross_entropy_plus_the_weighted_divergence(given_step):
    first, second, targets = passes()
    loss = RDrop(0.5).backward(given_step([first, second], targets))
    mean = (cross_entropy(first, targets) + cross_entropy(second, targets)) / 2
    assert loss.item() == pytest.approx((mean + 0.5 * symmetric_kl(first, second)).item(), rel=1e-6)
    assert not loss.requires_grad


def test_gradient_by_hand(given_step):
    first, second, targets = passes()
    RDrop(0.5).backward(given_step([first, second], targets))
    p, q, truth = first.detach().softmax(-1), second.detach().softmax(-1), torch.eye(2)[targets]
    gap = p.log() - q.log()
    # d CE / d logits = (p - y) / rows; d J / d logits = p (gap - sum p gap) + p - q, J the sum of the two divergences.
    expected = (p - truth) / 2 / 2 + 0.5 * (p * (gap - (p * gap).sum(-1, keepdim=True)) + p - q) / 2 / 2
    torch.testing.assert_close(first.grad, expected)


def test_spans_average_the_divergence_of_start_and_end(micro_step):
    step = micro_step("squad", "r_drop")
    loss = RDrop(2.0).backward(step)
    with torch.no_grad():
        a, b = step.forward(0), step.forward(1)
    parts = [symmetric_kl(x, y) for x, y in zip(a.logits, b.logits, strict=True)]
    assert len(parts) == 2
    expected = (step.loss(a) + step.loss(b)) / 2 + 2.0 * sum(parts) / 2
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert all(p.grad.isfinite().all() for p in step.training.model.parameters() if p.grad is not None)


def test_the_two_passes_draw_different_masks(micro_step):
    step = micro_step("sst2")
    with torch.no_grad():
        first, again, second = step.forward(0), step.forward(0), step.forward(1)
    assert torch.equal(first.logits[0], again.logits[0])
    assert not torch.equal(first.logits[0], second.logits[0])


def test_without_dropout_and_with_one_mask_it_is_the_plain_loss(train):
    changes = {"dropout": 0.0, "train_examples": 8, "eval_examples": 4}
    plain, twice = (train("sst2", stack, **changes).record.curve_loss[0] for stack in ("adamw", "r_drop"))
    assert twice == pytest.approx(plain, rel=1e-6)
