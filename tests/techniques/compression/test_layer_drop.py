from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.techniques.compression.layer_drop import LayerDrop

IDS = torch.arange(2, 16).view(2, 7)


@pytest.mark.parametrize(
    ("share", "which", "kept"),
    [
        (0.5, "top", [0, 1, 2]),
        (0.34, "top", [0, 1, 2, 3]),
        (0.99, "top", [0]),
        (0.5, "every_other", [0, 2, 4]),  # of 1 to 6, without 2, 4 and 6
        (0.34, "every_other", [0, 2, 4]),  # floor(1 / 0.34) = 2
        (1 / 3, "every_other", [0, 1, 3, 4]),
        (0.0, "every_other", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_which_of_six_blocks_stay_by_hand(share, which, kept):
    assert LayerDrop(share, which)._kept(6) == kept


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
@pytest.mark.parametrize(("share", "which", "kept"), [(0.4, "top", [0, 1]), (0.5, "every_other", [0, 2])])
def test_what_is_left_computes_as_if_the_others_passed_their_input_on(encoders, family, share, which, kept):
    training = encoders(family)
    small = LayerDrop(share, which).compress(training)
    blocks = training.model.get_submodule(training.architecture.block_list)
    with torch.no_grad():
        whole = training.model(IDS).logits
        for place in {0, 1, 2} - set(kept):
            blocks[place].register_forward_hook(lambda _module, inputs, _output: inputs[0])
        assert torch.equal(small(IDS).logits, training.model(IDS).logits)
    assert not torch.equal(small(IDS).logits, whole)
    assert [len(m.get_submodule(training.architecture.block_list)) for m in (training.model, small)] == [3, 2]


def test_without_a_share_it_is_a_copy_to_the_bit(encoders):
    training = encoders("Bert")
    same = LayerDrop(0.0).compress(training)
    assert same is not training.model
    assert torch.equal(same(IDS).logits, training.model(IDS).logits)


def test_a_share_that_is_less_than_a_block_is_declined(encoders):
    with pytest.raises(Unsupported, match=r"share=0\.3 of 3 blocks is not one"):
        LayerDrop(0.3).compress(encoders("Bert"))


def test_settings():
    with pytest.raises(BadValue, match=r"at most 0\.5 with every_other"):
        LayerDrop(0.6, "every_other")
    with pytest.raises(BadValue, match="top or every_other"):
        LayerDrop(which="bottom")


def test_the_file_lacks_the_blocks(train):
    record = train("sst2", "layer_drop", train_examples=8, eval_examples=4).record
    block = 4 * (4 * (32 * 32 + 32) + 2 * 2 * 32 + 2 * 32 * 64 + 32 + 64)  # bytes: attention, two norms, two layers
    assert record.size.uncompressed_bytes - record.size.saved_bytes == pytest.approx(block, rel=0.15)
