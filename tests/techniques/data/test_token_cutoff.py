from __future__ import annotations

import math
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques.data import token_cutoff
from bench_lib.techniques.data.token_cutoff import TokenCutoff, chosen, jensen_shannon, rows_left
from bench_lib.techniques.interface.context import Output


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_divergence_by_hand():
    p, q = torch.tensor([[0.8, 0.2], [0.5, 0.5]]), torch.tensor([[0.4, 0.6], [0.5, 0.5]])
    middle = 0.6 * math.log(0.6) + 0.4 * math.log(0.4)
    by_hand = (0.8 * math.log(0.8) + 0.2 * math.log(0.2) + 0.4 * math.log(0.4) + 0.6 * math.log(0.6)) / 2 - middle
    assert jensen_shannon(p.log(), q.log()).item() == pytest.approx(by_hand / 2, rel=1e-5)
    assert jensen_shannon(q.log() + 3, p.log()).item() == pytest.approx(by_hand / 2, rel=1e-5)
    assert jensen_shannon(p.log(), p.log()).item() == 0
    apart = torch.tensor([[100.0, 0.0]])
    assert jensen_shannon(apart, apart.flip(1)).item() == pytest.approx(math.log(2))


def test_the_gradient_of_the_divergence_by_hand():
    """Of two classes with probabilities p and q of the first, d JS / d log-odds of p = p (1 - p) log-ratio / 2."""
    p, q = 0.8, 0.4
    odds = torch.tensor([[math.log(p / (1 - p)), 0.0]], requires_grad=True)
    jensen_shannon(odds, torch.tensor([[math.log(q / (1 - q)), 0.0]])).backward()
    m = (p + q) / 2
    slope = p * (1 - p) * (math.log(p / m) - math.log((1 - p) / (1 - m))) / 2
    torch.testing.assert_close(odds.grad, torch.tensor([[slope, -slope]]))


def test_padding_weighs_nothing_and_spoils_no_gradient():
    a, b = (torch.tensor([row], requires_grad=True) for row in ([1.0, 0.0, -torch.inf], [0.0, 1.0, -torch.inf]))
    padded, plain = jensen_shannon(a, b), jensen_shannon(a[:, :2].detach(), b[:, :2].detach())
    assert padded.item() == pytest.approx(plain.item()) != 0
    padded.backward()
    assert a.grad.isfinite().all()
    assert a.grad[0, 2] == 0


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.floats(0, 0.99), st.integers(0, 99))
def test_a_share_of_the_real_tokens_rounded_down(lengths, share, seed):
    real = torch.tensor([[1 <= i <= n for i in range(max(lengths) + 2)] for n in lengths])
    cut = chosen(real, real, share, seeded(seed))
    assert cut.sum(1).tolist() == [math.floor(share * n) for n in lengths]
    assert not (cut & ~real).any()
    few = real.clone()
    few[:, 1] = False
    assert chosen(few, real, share, seeded(seed)).sum(1).tolist() == [
        min(n - 1, math.floor(share * n)) for n in lengths
    ]


def test_each_token_is_as_likely():
    real = torch.ones(2000, 10, dtype=torch.bool)
    assert chosen(real, real, 0.2, seeded()).float().mean(0).tolist() == pytest.approx([0.2] * 10, abs=0.03)


def test_rows_of_erased_tokens_are_left_out():
    places = torch.tensor([[False, True, True], [False, True, False]])
    cut = torch.tensor([[False, True, False], [False, False, True]])
    output = Output((torch.tensor([[1.0], [2.0], [3.0]]),), (torch.tensor([4, 5, 6]),), places)
    left = rows_left(output, cut)
    assert (left.logits[0].tolist(), left.targets[0].tolist()) == ([[2.0], [3.0]], [5, 6])
    assert left.places.tolist() == [[False, False, True], [False, True, False]]


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 0.0), (0.0, 2.0)])
def test_the_loss_is_the_sum_of_the_paper(given_step, toy, monkeypatch, weights):
    logits = [torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]], requires_grad=True)]
    step = given_step(logits, torch.tensor([0, 1]))
    step.training, step.number = toy, 0
    hidden = []
    monkeypatch.setattr(
        token_cutoff, "tokens_hidden", lambda _model, _architecture, cut: hidden.append(cut) or nullcontext()
    )
    loss = TokenCutoff(ce_weight=weights[0], js_weight=weights[1]).backward(step)

    def cost(odds):
        return math.log(1 + math.exp(-odds))

    whole, erased = (cost(2) + cost(1)) / 2, (cost(-1) + cost(-1)) / 2
    divergence = jensen_shannon(*logits).item()
    assert loss.item() == pytest.approx(whole + weights[0] * erased + weights[1] * divergence, rel=1e-5)
    assert [repeat for repeat, _, _ in step.calls] == [0, 1], "each pass has dropout masks of its own"
    assert len(hidden) == 1


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_what_may_be_erased(micro_step, monkeypatch, task):
    """Real tokens, and none that the target is read from; much is erased, so that all that may be is."""
    step, seen = micro_step(task), []
    real = token_cutoff.tokens_hidden
    monkeypatch.setattr(token_cutoff, "tokens_hidden", lambda *parts: seen.append(parts[-1]) or real(*parts))
    whole = step.forward()
    TokenCutoff(share=0.99).backward(step)
    (cut,) = seen
    assert cut.any(1).all()
    assert not (cut & ~step.real_tokens).any()
    if task == "squad":
        for row, start, end in zip(cut, *whole.targets, strict=True):
            assert not row[start : end + 1].any()
    if task == "conll2003":
        assert not cut[torch.arange(len(cut)), step.real_tokens.int().argmax(1)].any()
        assert rows_left(whole, cut).places.any(1).all(), "every text has a row left"
    TokenCutoff(share=0.99).backward(step)
    assert torch.equal(seen[0], seen[1]), "a step draws the same again"
    step.training.step += 1
    TokenCutoff(share=0.5).backward(step)
    assert not torch.equal(seen[2], seen[0])
    gradients = [p.grad for p in step.training.model.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)


def test_without_share_it_is_one_ordinary_pass(given_step):
    step = given_step([torch.tensor([[2.0, 0.0]], requires_grad=True)], torch.tensor([0]))
    TokenCutoff(share=0.0).backward(step)
    assert step.calls == [(0, False, False)]
    assert TokenCutoff(share=0.0).passes() == (1, 1)
    assert TokenCutoff().passes() == (2, 1)
    assert [TokenCutoff().declines(task_format) for task_format in FORMATS] == [None] * len(FORMATS.names())
