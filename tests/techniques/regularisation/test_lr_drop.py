from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from bench_lib.techniques.regularisation.lr_drop import LRDrop
from bench_lib.techniques.toolkit.consistency import symmetric_kl

FEW = {"train_examples": 8, "eval_examples": 4}


def passes():
    first = torch.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    second = torch.tensor([[0.0, 0.3], [-1.0, 1.0]], requires_grad=True)
    return first, second, torch.tensor([0, 1])


def states(*fills):
    """The embeddings and two blocks, (batch 2, length 3, hidden 2), each of one value."""
    return tuple(torch.full((2, 3, 2), float(fill), requires_grad=True) for fill in fills)


def test_loss_and_gradient_by_hand(given_step):
    first, second, targets = passes()
    a, b = states(100, 1, 4), states(0, 3, 3)
    loss = LRDrop(hidden=0.5, output=0.25).backward(given_step([first, second], targets, [a, b]))
    plain = (cross_entropy(first, targets) + cross_entropy(second, targets)) / 2
    # Blocks differ by 2 and by 1; what lies below the first does not count.
    expected = plain + 0.5 * (4 + 1) / 2 + 0.25 * symmetric_kl(first, second)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert not loss.requires_grad
    # 0.5 / 2 blocks * 2 * (1 - 3) / 12 values.
    torch.testing.assert_close(a[1].grad, torch.full((2, 3, 2), 0.25 * 2 * -2 / 12))
    assert a[0].grad is None


def test_padding_does_not_count(given_step):
    first, second, targets = passes()
    a, b = states(0, 1, 1), states(0, 1, 1)
    with torch.no_grad():
        a[1][:, 2] = 50.0
    step = given_step([first, second], targets, [a, b])
    step.real_tokens[:, 0] = False  # the first token is special, and counts all the same
    step.real_tokens[:, 2] = False
    plain = (cross_entropy(first, targets) + cross_entropy(second, targets)) / 2
    assert LRDrop(1.0, 0.0).backward(step).item() == pytest.approx(plain.item(), rel=1e-6)
    with torch.no_grad():
        a[1][:, 0] = 4.0
    step = given_step([first, second], targets, [a, b])
    step.real_tokens[:, 0] = False
    step.real_tokens[:, 2] = False
    assert LRDrop(1.0, 0.0).backward(step).item() == pytest.approx((plain + 9 / 2 / 2).item(), rel=1e-6)


def test_either_term_can_be_left_out(given_step):
    first, second, targets = passes()
    step = given_step([first, second], targets)
    LRDrop(hidden=0.0).backward(step)
    assert step.calls == [(0, False, False), (1, False, False)]
    step = given_step([first, second], targets)
    loss = LRDrop(0.0, 0.0).backward(step)
    assert step.calls == [(0, False, False)]
    assert loss.item() == pytest.approx(cross_entropy(first, targets).item())
    assert (LRDrop().passes(), LRDrop(0.0).passes(), LRDrop(0.0, 0.0).passes()) == ((2, 1), (2, 1), (1, 1))


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_the_states_of_two_masks_differ_and_come_together(micro_step, task):
    step = micro_step(task, "lr_drop")
    loss = LRDrop().backward(step).item()
    with torch.no_grad():
        first, second = step.forward(0, hidden=True), step.forward(1, hidden=True)
        plain = (step.loss(first) + step.loss(second)).item() / 2
    assert len(first.hidden) == 3
    assert loss > plain
    assert all(p.grad.isfinite().all() for p in step.training.model.parameters() if p.grad is not None)


def test_without_dropout_it_is_declined(train):
    record = train("sst2", "lr_drop", dropout=0.0, **FEW).record
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert "lr_drop compares two passes with dropout" in record.reason
    assert train("sst2", "lr_drop:hidden=0.0:output=0.0", dropout=0.0, **FEW).record.status != "unsupported"
