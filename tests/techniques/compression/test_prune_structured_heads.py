from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.compression.prune_structured_heads import PruneStructuredHeads
from bench_lib.techniques.toolkit.attention_heads import attentions

IDS = torch.arange(2, 16).view(2, 7)


def observed(training, technique, gradients):
    """The technique after an update in which each head's factor had such a gradient."""
    for attention, row in zip(attentions(training.model, training.architecture.block_list), gradients, strict=True):
        weight = attention.output.weight
        weight.grad = torch.tensor(row).repeat_interleave(2).repeat(8, 1) / weight.detach() if row else None
    technique.after_update(training)
    return technique


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
def test_the_least_important_heads_go_by_hand(encoders, family):
    # Normalised: 0.5 each; 0.1, 0.99, ...; 0.7, 0.7, 0, ...
    training, technique = encoders(family), PruneStructuredHeads(0.34)
    observed(training, technique, [[1.0, 1.0, 1.0, 1.0], [1.0, 9.9, 0.01, 0.2], [5.0, 5.0, 0.01, 3.0]])
    before = [p.detach().clone() for p in training.model.parameters()]
    small = technique.compress(training)
    sizes = [a.heads for a in attentions(small, training.architecture.block_list)]
    assert sizes == [4, 1, 3], "four of twelve"
    # The width of a head is 2: the second head of the second block is left, with its columns.
    left = attentions(small, training.architecture.block_list)[1].output.weight
    whole = attentions(training.model, training.architecture.block_list)[1].output.weight
    assert torch.equal(left, whole[:, 2:4])
    assert small(IDS).logits.shape == (2, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, training.model.parameters(), strict=True))


def test_blocks_that_do_not_train_keep_their_heads(encoders):
    training, technique = encoders("Bert"), PruneStructuredHeads(0.5)
    observed(training, technique, [None, [1.0, 2.0, 3.0, 4.0], None])
    sizes = [a.heads for a in attentions(technique.compress(training), training.architecture.block_list)]
    assert sizes == [4, 2, 4]


def test_without_a_share_it_is_a_copy_to_the_bit_and_keeps_no_sums(encoders):
    training, technique = encoders("Bert"), PruneStructuredHeads(0.0)
    technique.after_update(training)
    same = technique.compress(training)
    assert same is not training.model
    assert torch.equal(same(IDS).logits, training.model(IDS).logits)
    assert not training.memory


def test_what_it_cannot_cut_is_declined(toy, train):
    technique = PruneStructuredHeads()
    technique.after_update(toy)
    with pytest.raises(Unsupported, match="knows no way to cut heads out of ToyModel"):
        technique.compress(toy)
    few = {"train_examples": 8, "eval_examples": 4}
    for stack, reason in (("lora", "this run trains none"), ("prefix", "no way to cut heads out of Prefixed")):
        record = train("sst2", f"{stack}+prune_structured_heads", **few).record
        assert record.status == "unsupported"
        assert reason in record.reason


@pytest.mark.parametrize("stack", ["adamw", "mixout", "ema", "freeze_bottom", "best_checkpoint"])
def test_the_heads_are_gone_from_the_file(train, stack):
    record = train("sst2", f"{stack}+prune_structured_heads:share=0.5", train_examples=16, eval_examples=8).record
    assert record.status in ("converged", "collapsed"), record.reason
    head = 4 * (4 * 32 * 16 + 3 * 16)  # bytes of a head 16 wide, of its rows and columns and biases
    heads = 1 if stack == "freeze_bottom" else 2
    assert record.size.uncompressed_bytes - record.size.saved_bytes == pytest.approx(heads * head, rel=0.05)
