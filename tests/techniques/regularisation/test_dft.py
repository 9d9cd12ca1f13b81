from __future__ import annotations

import math

import pytest
import torch

from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.regularisation.dft import DFT

PADDED = [[math.log(2), math.log(1), math.log(1), -torch.inf], [math.log(3), math.log(1), -torch.inf, -torch.inf]]
"""Logits whose probabilities are 1/2, 1/4, 1/4 and 3/4, 1/4."""


def loss_of(power, *pairs):
    logits, targets = zip(*pairs, strict=True)
    return DFT(power).loss(Output(logits, targets, torch.ones(2, 4, dtype=torch.bool)))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_loss_and_gradient_by_hand(power):
    logits, targets = torch.tensor(PADDED, requires_grad=True), torch.tensor([0, 1])
    loss = loss_of(power, (logits, targets))
    assert loss.item() == pytest.approx((0.5**power * math.log(2) + 0.25**power * math.log(4)) / 2, rel=1e-6)
    loss.backward()
    p, weights = torch.tensor([[0.5, 0.25, 0.25, 0.0], [0.75, 0.25, 0.0, 0.0]]), torch.tensor([[0.5], [0.25]])
    torch.testing.assert_close(logits.grad, weights**power * (p - torch.eye(4)[:2]) / 2)


def test_at_power_1_the_gradient_is_that_of_the_probability():
    logits, targets = torch.tensor(PADDED, requires_grad=True), torch.tensor([0, 1])
    loss_of(1.0, (logits, targets)).backward()
    again = torch.tensor(PADDED, requires_grad=True)
    (-again.softmax(-1).gather(1, targets[:, None]).mean()).backward()
    torch.testing.assert_close(logits.grad, again.grad)


def test_an_impossible_target_moves_nothing():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss_of(1.0, (logits, torch.tensor([1]))).backward()
    assert torch.equal(logits.grad, torch.zeros(1, 2))


def test_start_and_end_are_averaged():
    pairs = (torch.tensor(PADDED), torch.tensor([0, 1])), (torch.tensor(PADDED).flip(0), torch.tensor([0, 2]))
    start, end = (loss_of(1.0, pair).item() for pair in pairs)
    assert start != end
    assert loss_of(1.0, *pairs).item() == pytest.approx((start + end) / 2)
