from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.regularisation.z_loss import ZLoss

PADDED = [[math.log(2), math.log(1), math.log(1), -torch.inf], [math.log(3), math.log(1), -torch.inf, -torch.inf]]
"""Logits with Z = 4 in both rows, and probabilities 1/2, 1/4, 1/4 and 3/4, 1/4."""


def output_of(*pairs):
    logits, targets = zip(*pairs, strict=True)
    return Output(logits, targets, torch.ones(2, 4, dtype=torch.bool))


def test_loss_and_gradient_by_hand():
    logits, targets = torch.tensor(PADDED, requires_grad=True), torch.tensor([0, 1])
    loss = ZLoss(0.5).loss(output_of((logits, targets)))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2 + 0.5 * math.log(4) ** 2, rel=1e-6)
    loss.backward()
    # p - one-hot of the cross-entropy, and weight * 2 log Z * p, over two rows; nothing at padding.
    p = torch.tensor([[0.5, 0.25, 0.25, 0.0], [0.75, 0.25, 0.0, 0.0]])
    torch.testing.assert_close(logits.grad, (p - F.one_hot(targets, 4) + 0.5 * 2 * math.log(4) * p) / 2)


def test_adding_a_constant_to_all_logits_costs():
    targets = torch.tensor([0, 1])
    low, high = (ZLoss(1.0).loss(output_of((torch.tensor(PADDED) + shift, targets))) for shift in (-math.log(4), 3.0))
    assert low.item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert high.item() == pytest.approx(low.item() + (math.log(4) + 3) ** 2, rel=1e-6)


def test_start_and_end_are_averaged():
    pairs = (torch.tensor(PADDED), torch.tensor([0, 1])), (torch.tensor(PADDED).flip(0) * 2, torch.tensor([1, 2]))
    start, end = (ZLoss(0.1).loss(output_of(pair)).item() for pair in pairs)
    assert ZLoss(0.1).loss(output_of(*pairs)).item() == pytest.approx((start + end) / 2)


def test_on_answer_spans_with_padding_all_gradients_are_finite(micro_step):
    step = micro_step("squad")
    step.criterion = ZLoss(1.0).loss
    step.backward(step.loss(step.forward()))
    gradients = [p.grad for p in step.training.model.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
