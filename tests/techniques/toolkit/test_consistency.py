from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import kl_div

from bench_lib.models.architecture import word_embeddings
from bench_lib.models.interventions import embedding_changed
from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.toolkit.consistency import clean_and_noisy, disagreement, symmetric_kl

ODDS = torch.tensor([[3.0, 1.0], [1.0, 1.0]])
"""Logits whose probabilities are 3/4, 1/4 and 1/2, 1/2."""


def textbook(a, b):
    """The same divergence in its usual form, in the precision of the logits."""
    log_a, log_b = a.log_softmax(-1), b.log_softmax(-1)
    both = [kl_div(x, y, log_target=True, reduction="batchmean") for x, y in ((log_a, log_b), (log_b, log_a))]
    return sum(both).item() / 2


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
    assert symmetric_kl(a, b).item() == pytest.approx(textbook(a.double(), b.double()), rel=1e-3, abs=1e-5)


def test_numbers_disagree_by_their_squared_difference():
    """The divergence of two normal distributions of variance 1/2, (a - b)^2 / (2 * 1/2), either way."""
    first, second = (
        Output((torch.tensor(values)[:, None],), (torch.zeros(2),), torch.ones(2, 1, dtype=torch.bool), numbers=True)
        for values in ([1.0, 4.0], [3.0, 4.5])
    )
    assert disagreement(first, second).item() == pytest.approx((4 + 0.25) / 2)
    assert disagreement(first, first).item() == 0


def test_masked_positions_add_nothing_forward_or_backward():
    masked = torch.tensor([[math.log(3), 0.0, -torch.inf]], requires_grad=True)
    other = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    loss = symmetric_kl(masked, other)
    assert loss.item() == pytest.approx(symmetric_kl(ODDS.log()[:1], ODDS.log()[1:]).item(), rel=1e-6)
    loss.backward()
    assert masked.grad.isfinite().all()
    assert masked.grad[0, 2] == other.grad[0, 2] == 0


@pytest.mark.parametrize("classes", [2, 9, 128])
def test_in_bf16_the_divergence_of_near_equal_logits_would_be_lost(classes):
    a = torch.randn(64, classes, generator=torch.Generator().manual_seed(0)).bfloat16()
    b = (a.float() * (1 + 2**-7 * (torch.arange(a.numel()).view_as(a) % 3 - 1))).bfloat16()  # the next numbers
    assert not torch.equal(a, b)
    exact = textbook(a.double(), b.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert symmetric_kl(a, b).item() == pytest.approx(exact, rel=1e-3)
    assert abs(textbook(a, b) / exact - 1) > 0.3


def test_a_tiny_divergence_is_right_in_fp32_and_zero_or_far_off_in_bf16():
    a = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    b = a + 1e-4 * torch.randn(16, 2, generator=torch.Generator().manual_seed(1))
    exact = textbook(a.double(), b.double())
    assert symmetric_kl(a, b).item() == pytest.approx(exact, rel=1e-3)
    rounded = textbook(a.bfloat16(), b.bfloat16())
    assert rounded <= 0 or rounded > 100 * exact


def shifts(step, size):
    """Noise of a size, and what was drawn."""
    seen = []

    def noise(embedded, generator):
        drawn = torch.empty(embedded.shape).uniform_(-size, size, generator=generator).to(embedded)
        seen.append(drawn * step.real_tokens[..., None])
        return drawn

    return noise, seen


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_without_noise_the_two_passes_are_equal_to_the_bit(micro_step, task):
    step = micro_step(task)
    clean, noisy = clean_and_noisy(step, shifts(step, 0.0)[0], hidden=True)
    assert step.training.model.training
    assert all(torch.equal(a, b) for a, b in zip(clean.logits, noisy.logits, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(clean.hidden, noisy.hidden, strict=True))
    assert disagreement(clean, noisy).item() == 0
    assert torch.equal(clean.logits[0], step.forward().logits[0])


def test_noise_is_on_real_tokens_only_and_the_matrix_stays(micro_step):
    step = micro_step("conll2003")
    step.training.model.eval()
    before, inputs = word_embeddings(step.training.model).weight.detach().clone(), []
    handle = word_embeddings(step.training.model).register_forward_hook(lambda _m, _i, output: inputs.append(output))
    first = step.training.model.get_submodule("bert.embeddings.LayerNorm")
    other = first.register_forward_pre_hook(lambda _m, args: inputs.append(args[0].detach()))
    noise, drawn = shifts(step, 0.1)
    clean_and_noisy(step, noise)
    handle.remove()
    other.remove()
    changed = (inputs[3] - inputs[1]).abs().amax(-1) > 0
    assert torch.equal(changed, step.real_tokens)
    torch.testing.assert_close(inputs[3] - inputs[1], drawn[0], atol=1e-6, rtol=1e-4)
    assert torch.equal(word_embeddings(step.training.model).weight, before)
    assert not word_embeddings(step.training.model)._forward_hooks


def test_noise_depends_on_the_place_in_the_run_alone(micro_step):
    step = micro_step("sst2")

    def drawn():
        torch.rand(3)  # whatever was drawn before
        noise, seen = shifts(step, 1.0)
        clean_and_noisy(step, noise)
        return seen[0]

    first = drawn()
    assert torch.equal(drawn(), first)
    step.number = 1
    assert not torch.equal(drawn(), first)
    step.number = 0
    step.training.step += 1
    assert not torch.equal(drawn(), first)


def test_a_pass_that_raises_leaves_no_hook(toy, toy_step):
    def raising(_embedded, _generator):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        clean_and_noisy(toy_step([[1, 2]], [[True, True]]), raising)
    assert not word_embeddings(toy.model)._forward_hooks


def in_double(step, shift):
    """The answer of the model in float64 to embeddings with a shift."""
    model, batch = copy.deepcopy(step.training.model).double(), step.batch
    with embedding_changed(model, lambda e: e + shift):
        raw = model(**batch.inputs)
    if step.training.format == "tokens":
        return (raw.logits[batch.targets >= 0],)
    return raw.start_logits, raw.end_logits


@pytest.mark.parametrize("task", ["conll2003", "squad"])
@torch.no_grad()
def test_under_bf16_a_shift_of_1e_5_still_shows_what_it_does(micro_step, task):
    """Embeddings cast to bf16 would hardly move, and a pass under autocast would see its own rounding only."""
    step = micro_step(task)
    step.batch.inputs["attention_mask"].fill_(1)  # so that all positions can be compared
    training = step.training
    training.profile = dataclasses.replace(training.profile, precision="bf16")
    training.model.eval()
    noise, drawn = shifts(step, 1e-5)
    found = disagreement(*clean_and_noisy(step, noise)).item()
    shift = drawn[0]
    pairs = zip(in_double(step, 0.0), in_double(step, shift.double()), strict=True)
    exact = sum(textbook(a, b) for a, b in pairs) / (2 if task == "squad" else 1)
    assert exact > 0
    assert found == pytest.approx(exact, rel=0.03)

    low = step.forward()
    with embedding_changed(training.model, lambda e: e + shift):
        rounded = disagreement(low, step.forward()).item()
    assert rounded == 0 or rounded > 10 * exact
    embedded = word_embeddings(training.model)(step.batch.inputs["input_ids"])[step.real_tokens].bfloat16()
    moved = embedded + shift[step.real_tokens].bfloat16() != embedded
    assert moved.float().mean() < 0.2


def test_disagreement_averages_start_and_end():
    p, q = ODDS.log()[:1], ODDS.log()[1:]
    one, none = (torch.tensor([0]),) * 2, torch.ones(1, 2, dtype=torch.bool)
    both = disagreement(Output((p, q), one, none), Output((q, q), one, none)).item()
    assert both == pytest.approx(symmetric_kl(p, q).item() / 2, rel=1e-6)
