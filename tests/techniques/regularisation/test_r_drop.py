from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import architecture_of
from bench_lib.techniques.regularisation.r_drop import RDrop
from bench_lib.techniques.toolkit.consistency import symmetric_kl
from bench_lib.techniques.toolkit.dropout_rates import set_dropout


def passes():
    first = torch.tensor([[1.0, -1.0], [0.5, 2.0]], requires_grad=True)
    second = torch.tensor([[0.0, 0.3], [-1.0, 1.0]], requires_grad=True)
    return first, second, torch.tensor([0, 1])


def test_loss_is_both_cross_entropies_plus_the_weighted_divergence(given_step):
    first, second, targets = passes()
    loss = RDrop(0.5).backward(given_step([first, second], targets))
    both = cross_entropy(first, targets) + cross_entropy(second, targets)
    assert loss.item() == pytest.approx((both + 0.5 * symmetric_kl(first, second)).item(), rel=1e-6)
    assert not loss.requires_grad


def test_gradient_by_hand(given_step):
    first, second, targets = passes()
    RDrop(0.5).backward(given_step([first, second], targets))
    p, q, truth = first.detach().softmax(-1), second.detach().softmax(-1), torch.eye(2)[targets]
    gap = p.log() - q.log()
    # d CE / d logits = (p - y) / rows; d J / d logits = p (gap - sum p gap) + p - q, J the sum of the two divergences.
    expected = (p - truth) / 2 + 0.5 * (p * (gap - (p * gap).sum(-1, keepdim=True)) + p - q) / 2 / 2
    torch.testing.assert_close(first.grad, expected)


def test_the_published_forms_are_this_one_at_other_strengths(given_step):
    """Up to a scale of the whole loss: fairseq, the BERT code, and the README with a sum and with a mean of all."""
    first, second, targets = (t.detach() for t in passes())
    rows, classes = first.shape
    ce, log_p, log_q = (
        cross_entropy(first, targets) + cross_entropy(second, targets),
        first.log_softmax(-1),
        second.log_softmax(-1),
    )
    divergences = sum(kl_div(a, b, log_target=True, reduction="none") for a, b in ((log_p, log_q), (log_q, log_p)))
    a = 0.7
    forms = {
        a: ce + a * divergences.sum(-1).mean() / 2,
        rows / 2: ce + 0.5 * divergences.sum() / 2,
        2 * a * rows: 2 * (0.5 * ce + a * divergences.sum() / 2),
        2 * a / classes: 2 * (0.5 * ce + a * divergences.mean() / 2),
    }
    for alpha, expected in forms.items():
        found = RDrop(alpha).backward(given_step([t.clone().requires_grad_() for t in (first, second)], targets))
        assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_spans_average_the_divergence_of_start_and_end(micro_step):
    step = micro_step("squad", "r_drop")
    loss = RDrop(2.0).backward(step)
    with torch.no_grad():
        a, b = step.forward(0), step.forward(1)
    parts = [symmetric_kl(x, y) for x, y in zip(a.logits, b.logits, strict=True)]
    assert len(parts) == 2
    expected = step.loss(a) + step.loss(b) + 2.0 * sum(parts) / 2
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert all(p.grad.isfinite().all() for p in step.training.model.parameters() if p.grad is not None)


def test_the_two_passes_draw_different_masks(micro_step):
    step = micro_step("sst2")
    with torch.no_grad():
        first, again, second = step.forward(0), step.forward(0), step.forward(1)
    assert torch.equal(first.logits[0], again.logits[0])
    assert not torch.equal(first.logits[0], second.logits[0])


FEW = {"train_examples": 8, "eval_examples": 4}


@pytest.mark.parametrize("stack", ["r_drop", "r_drop+dropout:hidden=0:attention=0:head=0"])
def test_without_dropout_in_effect_it_is_declined_whoever_took_it(train, stack):
    changes = {"dropout": 0.0} if stack == "r_drop" else {}
    record = train("sst2", stack, **changes, **FEW).record
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert "r_drop compares two passes with dropout, and BertForSequenceC" in record.reason
    assert train("sst2", "r_drop:alpha=0.0", **changes, **FEW).record.status != "unsupported"


def test_a_rate_that_the_stack_sets_before_it_is_enough(train):
    record = train("sst2", "dropout:attention=0.1+r_drop", dropout=0.0, **FEW).record
    assert record.status in ("converged", "collapsed")


@pytest.mark.parametrize(
    ("name", "drops"), [("bert", True), ("albert", True), ("modernbert", False), ("nomic", False), ("deberta", True)]
)
def test_families_without_dropout_of_their_own_are_declined_until_a_rate_is_set(families, toy, name, drops):
    model = families.model(name)
    training = dataclasses.replace(toy, model=model, architecture=architecture_of(model), memory={})
    if not drops:
        with pytest.raises(Unsupported, match="has none in effect; set a rate"):
            RDrop().prepare(training)
        set_dropout(model, 0.1)
    RDrop().prepare(training)


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
    plain = cross_entropy(passes[0], targets) + cross_entropy(passes[1], targets)
    assert (loss - plain).item() / 1e4 == pytest.approx(exact, rel=1e-3)
    assert abs(terms(first, second) / exact - 1) > 0.3
