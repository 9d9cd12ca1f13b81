from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from bench_lib.techniques.r_drop import RDrop
from bench_lib.techniques.smoothness import symmetric_kl


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


def test_in_bf16_the_divergence_of_two_masks_would_be_far_off(given_step):
    """Logits as a bf16 layer gives them, of two passes that differ in the last digit of each."""
    first = torch.tensor([[2.0, -1.0], [0.5, 1.5]]).bfloat16()
    second = (first.float() * torch.tensor([[1 + 2**-7, 1.0], [1.0, 1 - 2**-7]])).bfloat16()
    targets = torch.tensor([0, 1])

    def terms(a, b):
        log_a, log_b = a.log_softmax(-1), b.log_softmax(-1)
        both = (kl_div(x, y, log_target=True, reduction="batchmean") for x, y in ((log_a, log_b), (log_b, log_a)))
        return sum(both).item() / 2

    with torch.autocast("cpu", torch.bfloat16):
        passes = [x.float().requires_grad_() for x in (first, second)]
        loss = RDrop(1e4).backward(given_step(passes, targets))
    exact = terms(first.double(), second.double())
    plain = (cross_entropy(passes[0], targets) + cross_entropy(passes[1], targets)) / 2
    assert (loss - plain).item() / 1e4 == pytest.approx(exact, rel=1e-3)
    assert abs(terms(first, second) / exact - 1) > 0.3
