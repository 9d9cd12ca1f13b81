from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.regularisation.label_smoothing import LabelSmoothing, smoothed_cross_entropy

PADDED = [[math.log(2), math.log(1), math.log(1), -torch.inf], [math.log(3), math.log(1), -torch.inf, -torch.inf]]
"""Logits whose probabilities are 1/2, 1/4, 1/4 and 3/4, 1/4."""


def test_the_smoothed_loss_by_hand_counts_only_what_can_be_chosen():
    logits, targets = torch.tensor(PADDED, requires_grad=True), torch.tensor([0, 1])
    # q is 0.7 + 0.3/3, 0.3/3, 0.3/3 in the first row and 0.3/2, 0.7 + 0.3/2 in the second.
    first = -(0.8 * math.log(0.5) + 0.1 * math.log(0.25) + 0.1 * math.log(0.25))
    second = -(0.15 * math.log(0.75) + 0.85 * math.log(0.25))
    loss = smoothed_cross_entropy(logits, targets, 0.3)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)
    loss.backward()
    # d/d logits = (p - q) / rows, and nothing at padding.
    expected = torch.tensor([[0.5 - 0.8, 0.25 - 0.1, 0.25 - 0.1, 0.0], [0.75 - 0.15, 0.25 - 0.85, 0.0, 0.0]]) / 2
    torch.testing.assert_close(logits.grad, expected)


numbers = st.lists(st.floats(-30, 30, width=32), min_size=12, max_size=12)


@given(values=numbers, epsilon=st.floats(0.01, 0.99), targets=st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(deadline=None, max_examples=60)
def test_without_padding_it_is_torchs_own(values, epsilon, targets):
    logits, targets = torch.tensor(values).view(3, 4), torch.tensor(targets)
    own = smoothed_cross_entropy(logits, targets, epsilon)
    torch.testing.assert_close(own, F.cross_entropy(logits, targets, label_smoothing=epsilon), rtol=1e-4, atol=1e-5)


@given(values=numbers, targets=st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(deadline=None, max_examples=30)
def test_without_smoothing_it_is_the_plain_cross_entropy_to_the_bit(values, targets):
    logits, targets = torch.tensor(values).view(3, 4), torch.tensor(targets)
    assert torch.equal(smoothed_cross_entropy(logits, targets, 0.0), F.cross_entropy(logits, targets))


@given(epsilon=st.floats(0.01, 0.99), high=st.floats(-50, 50))
@settings(deadline=None, max_examples=30)
def test_the_loss_is_least_at_the_smoothed_truth(epsilon, high):
    truth = torch.tensor([[1 - epsilon + epsilon / 2, epsilon / 2]]).log()
    least = smoothed_cross_entropy(truth, torch.tensor([0]), epsilon)
    other = smoothed_cross_entropy(torch.tensor([[high, 0.0]]), torch.tensor([0]), epsilon)
    assert other.item() >= least.item() - 1e-6


def test_start_and_end_are_averaged():
    logits = torch.tensor(PADDED), torch.tensor(PADDED).flip(0)
    targets = torch.tensor([0, 1]), torch.tensor([1, 2])
    start, end = (smoothed_cross_entropy(*pair, 0.1).item() for pair in zip(logits, targets, strict=True))
    assert start != end
    loss = LabelSmoothing().loss(Output(logits, targets, torch.ones(2, 4, dtype=torch.bool)))
    assert loss.item() == pytest.approx((start + end) / 2, rel=1e-6)


@pytest.mark.parametrize("stack", ["label_smoothing", "label_smoothing+r_drop"])
def test_on_answer_spans_with_padding_all_gradients_are_finite(micro_step, stack):
    step = micro_step("squad", stack)
    step.criterion = LabelSmoothing().loss
    output = step.forward()
    assert any(logits.isneginf().any() for logits in output.logits), "no padding to be left out"
    loss = step.loss(output)
    step.backward(loss)
    gradients = [p.grad for p in step.training.model.parameters() if p.grad is not None]
    assert loss.isfinite()
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_run_is_scored_with_it(train):
    changes = {"train_examples": 8, "eval_examples": 4, "batch_size": 8, "dropout": 0.0}
    plain, smooth = (train("conll2003", s, **changes).record for s in ("adamw", "label_smoothing:epsilon=0.5"))
    assert plain.cost.steps == 1
    assert smooth.curve.loss[0] != plain.curve.loss[0]
