from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.toolkit.attention_heads import Importance, attentions, least

IDS = torch.arange(2, 16).view(2, 7)
FAMILIES = ["Bert", "Roberta", "DistilBert"]


def gated(attention, gates):
    """Multiply each head's output by a factor."""
    return attention.output.register_forward_pre_hook(
        lambda _module, inputs: inputs[0] * gates.repeat_interleave(inputs[0].shape[-1] // len(gates))
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_removed_heads_are_heads_whose_output_is_nothing(encoders, family):
    training, other = encoders(family), encoders(family)
    kept = [{1, 3}, {0, 1, 2, 3}, {2}]
    small, whole = (attentions(t.model, t.architecture.block_list) for t in (training, other))
    for attention, heads in zip(small, kept, strict=True):
        attention.keep(heads)
    for attention, heads in zip(whole, kept, strict=True):
        gated(attention, torch.tensor([float(head in heads) for head in range(4)]))
    with torch.no_grad():
        torch.testing.assert_close(training.model(IDS).logits, other.model(IDS).logits)
    sizes = [[tuple(layer.weight.shape) for layer in (*a.inner, a.output)] for a in small]
    assert sizes == [[(2 * n, 8)] * 3 + [(8, 2 * n)] for n in (2, 4, 1)]
    assert [layer.out_features for layer in small[2].inner] == [2] * 3
    assert small[2].output.in_features == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_gates_gradient_is_read_off_the_output_projection(encoders, family):
    """That of Michel et al., whose factors are put in here; the tenth loss has a gradient of its own sign."""
    training = encoders(family)
    found = attentions(training.model, training.architecture.block_list)
    gates = torch.ones(3, 4, requires_grad=True)
    for attention, row in zip(found, gates, strict=True):
        gated(attention, row)
    importance = Importance(training)
    expected = torch.zeros(3, 4)
    for scale in (1.0, -3.0):
        training.model.zero_grad()
        gates.grad = None
        (scale * training.model(IDS).logits[:, 0].sum()).backward()
        expected += gates.grad.abs()
        importance.add()
    torch.testing.assert_close(importance.sums, expected, rtol=1e-3, atol=1e-4)
    assert importance.known == {0, 1, 2}


def test_importance_by_hand(encoders):
    training = encoders("Bert")
    weights = [a.output.weight for a in attentions(training.model, training.architecture.block_list)]
    for weight in weights:
        torch.nn.init.constant_(weight, 0.5)
    importance = Importance(training)
    for block, rows in enumerate([[3.0, 4.0, 0.0, 0.0], [9.0, 9.0, -9.0, 9.0]]):
        # In each of 8 rows and 2 columns: 16 * 0.5 * gradient.
        weights[block].grad = torch.tensor(rows).repeat_interleave(2).repeat(8, 1) / 8
    importance.add()
    assert importance.sums.tolist()[0] == pytest.approx([3, 4, 0, 0])
    assert importance.sums.tolist()[1] == pytest.approx([9.0] * 4)
    # The blocks' norms are 5 and 18: 0.6, 0.8, 0, 0 and 0.5 each; the third block has no gradient.
    assert importance.ranked() == [(0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (0, 0), (0, 1)]
    weights[1].grad.fill_(float("inf"))
    weights[0].grad = None
    importance.add()
    assert importance.sums.tolist()[1] == pytest.approx([9.0] * 4), "an overflowed step says nothing"


def test_a_gradient_counts_at_the_weights_that_it_was_taken_at(encoders):
    training = encoders("Bert")
    (weight, *_) = (a.output.weight for a in attentions(training.model, training.architecture.block_list))
    torch.nn.init.constant_(weight, 0.5)
    importance = Importance(training)
    for before, after in ((0.5, 2.0), (2.0, 100.0)):
        assert (weight == before).all()
        weight.grad = torch.full_like(weight, 1 / 16)
        torch.nn.init.constant_(weight, after)  # as an update does, before the gradients are looked at
        importance.add()
        assert importance.sums[0].tolist() == pytest.approx([0.5 if after == 2 else 2.5] * 4)


def test_no_block_loses_its_last_head():
    ranked = [(0, 1), (0, 0), (1, 1), (2, 0), (1, 0), (2, 1)]
    assert least(ranked, 0) == {}
    assert least(ranked, 2) == {0: {1}, 1: {1}}
    assert least(ranked, 6) == {0: {1}, 1: {1}, 2: {0}}


def test_blocks_that_are_laid_out_otherwise_have_none(toy):
    assert attentions(toy.model, toy.architecture.block_list) == []
