from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION
from bench_lib.techniques.regularisation.scl import SCL, contrastive_loss

FEATURES = torch.tensor([[2.0, 0.0], [0.0, 0.5], [3.0, 0.0]])
"""Three rows of which the first and the last point the same way."""


def test_by_hand():
    tau, e = 0.5, math.exp(1 / 0.5)
    # Row 0 and its partner 1 are at right angles, the stranger 2 is parallel: exp(0) / (exp(0) + exp(1 / tau)).
    first = -math.log(1 / (1 + e))
    # Row 1 sees both others at right angles; row 2 is alone in its class.
    second = -math.log(1 / 2)
    loss = contrastive_loss(FEATURES, torch.tensor([7, 7, 1]), tau)
    assert loss.item() == pytest.approx((first + second + 0) / 3, rel=1e-6)


def test_the_mean_over_the_partners_by_hand():
    # Of four equal rows of a class, each finds each partner with probability 1/3.
    assert contrastive_loss(torch.ones(4, 3), torch.zeros(4), 0.3).item() == pytest.approx(math.log(3), rel=1e-6)


def test_the_gradient_by_hand():
    tau, angle = 0.5, 0.7
    features = torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)], [0.0, 1.0]], requires_grad=True)
    contrastive_loss(features, torch.tensor([0, 0, 1]), tau).backward()
    # Moving row 2 turns it. If row 0 has similarity s to its partner and t to row 2, SCL_0 = log(1 + e^((t-s)/tau))
    # grows with t at the rate sigmoid((t - s) / tau) / tau; row 1 likewise. Along x, t_0 = x, t_1 = x cos + y sin.
    s, t0, t1 = math.cos(angle), 0.0, math.sin(angle)
    pull = [1 / (1 + math.exp((s - t) / tau)) / tau / 3 for t in (t0, t1)]
    along_x = pull[0] * 1 + pull[1] * math.cos(angle)
    torch.testing.assert_close(features.grad[2], torch.tensor([along_x, 0.0]), atol=1e-6, rtol=1e-5)


rows = st.lists(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3), min_size=4, max_size=4)
lengths = st.lists(st.floats(0.1, 10), min_size=4, max_size=4)
classes = st.lists(st.integers(0, 2), min_size=4, max_size=4)


@given(rows=rows, lengths=lengths, classes=classes, tau=st.floats(0.05, 2))
@settings(deadline=None, max_examples=60)
def test_it_is_not_negative_and_does_not_see_lengths(rows, lengths, classes, tau):
    features, targets = torch.tensor(rows), torch.tensor(classes)
    features[features.norm(dim=-1) < 1e-3] += 1
    loss = contrastive_loss(features, targets, tau)
    assert loss.item() >= 0
    scaled = contrastive_loss(features * torch.tensor(lengths)[:, None], targets, tau)
    torch.testing.assert_close(scaled, loss, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("targets", [[0], [0, 1, 2]])
def test_without_partners_the_term_and_its_gradient_are_zero(targets):
    features = torch.randn(len(targets), 4, requires_grad=True)
    loss = contrastive_loss(features, torch.tensor(targets), 0.3)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros_like(features))


def given_pass(given_step, targets):
    logits = torch.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], requires_grad=True)
    hidden = torch.randn(3, 2, 4, requires_grad=True, generator=torch.Generator().manual_seed(0))
    return logits, hidden, given_step([logits], torch.tensor(targets), [(torch.zeros(3, 2, 4), hidden)])


def test_the_loss_weighs_both_terms_and_looks_at_the_rows_last_hidden_state(given_step):
    logits, hidden, step = given_pass(given_step, [0, 1, 1])
    loss = SCL(weight=0.8, tau=0.4).backward(step)
    targets = torch.tensor([0, 1, 1])
    parts = cross_entropy(logits, targets), contrastive_loss(hidden[:, 0], targets, 0.4)
    assert loss.item() == pytest.approx(0.2 * parts[0].item() + 0.8 * parts[1].item(), rel=1e-6)
    assert step.calls == [(0, True, False)]
    assert hidden.grad[:, 0].abs().amax() > 0
    assert not hidden.grad[:, 1].any()


def test_a_batch_without_partners_has_its_share_of_the_cross_entropy(given_step):
    logits, hidden, step = given_pass(given_step, [0, 1, 1])
    step.targets = torch.tensor([0, 1, 1])[:2]
    step.passes, step.hidden = [logits[:2]], [(hidden[:2],)]
    step.real_tokens = torch.ones(2, 2, dtype=torch.bool)
    loss = SCL(weight=0.9).backward(step)
    assert loss.item() == pytest.approx(0.1 * cross_entropy(logits[:2], step.targets).item(), rel=1e-6)
    assert logits.grad[:2].abs().amax() > 0
    assert logits.grad.isfinite().all()


def test_without_weight_no_hidden_states_are_asked_for(given_step):
    logits, _hidden, step = given_pass(given_step, [0, 1, 1])
    loss = SCL(weight=0.0).backward(step)
    assert loss.item() == cross_entropy(logits, torch.tensor([0, 1, 1])).item()
    assert step.calls == [(0, False, False)]


def test_on_words_the_rows_are_the_first_tokens(micro_step):
    step = micro_step("conll2003")
    output = step.forward(hidden=True)
    assert len(output.features()) == len(output.targets[0]) > 4
    assert SCL().backward(step).isfinite()


def test_answer_spans_are_declined_with_a_reason():
    assert "no classes" in SCL().declines(QUESTION_ANSWERING)
    assert SCL().declines(TEXT_CLASSIFICATION) is SCL().declines(TOKEN_CLASSIFICATION) is None


def test_in_bf16_the_similarities_of_near_equal_features_would_be_lost():
    """[CLS] states of a batch are nearly parallel: their cosines differ in digits that bf16 does not have."""
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(1, 384, generator=draws) + 0.03 * torch.randn(16, 384, generator=draws)
    targets = torch.arange(16) % 2
    features[targets == 0, 0] += 0.5

    def textbook(features, precision):
        unit = normalize(features.to(precision), dim=-1)
        similarity = (unit @ unit.T / 0.3).masked_fill(torch.eye(16, dtype=torch.bool), -torch.inf)
        same = (targets[:, None] == targets).fill_diagonal_(False)
        return -(similarity.log_softmax(-1)[same].sum() / 7 / 16).double().item()

    exact, indifferent = textbook(features, torch.float64), math.log(15)
    with torch.autocast("cpu", torch.bfloat16):
        found = contrastive_loss(features, targets, 0.3).item()
    assert found - indifferent == pytest.approx(exact - indifferent, rel=1e-2)
    assert abs(textbook(features, torch.bfloat16) - exact) > abs(exact - indifferent)
