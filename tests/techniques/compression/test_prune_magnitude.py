from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.compression.prune_magnitude import PruneMagnitude, clear_smallest
from bench_lib.techniques.toolkit.model_copies import linear_layers

WEIGHT = torch.tensor([[0.3, -0.1, 2.0], [-0.4, 0.05, -0.2]])


@pytest.mark.parametrize(
    ("number", "left"),
    [
        (0, [[0.3, -0.1, 2.0], [-0.4, 0.05, -0.2]]),
        (1, [[0.3, -0.1, 2.0], [-0.4, 0.0, -0.2]]),
        (3, [[0.3, 0.0, 2.0], [-0.4, 0.0, 0.0]]),
        (5, [[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]),
    ],
)
def test_the_smallest_are_cleared_by_hand(number, left):
    weight = WEIGHT.clone()
    clear_smallest(weight, number)
    assert torch.equal(weight, torch.tensor(left))


def test_of_equal_weights_no_more_go_than_the_share():
    weight = torch.ones(3, 4)
    clear_smallest(weight, 5)
    assert int((weight == 0).sum()) == 5


def test_each_matrix_of_the_blocks_loses_its_share_and_nothing_else_any(toy):
    with torch.no_grad():
        toy.model.body.layer[0].weight.copy_(torch.tensor([[1.0, -3.0], [2.0, 4.0]]))
        toy.model.body.layer[1].weight.copy_(torch.tensor([[0.1, 0.4], [-0.3, 0.2]]))
    before = {n: p.detach().clone() for n, p in toy.model.named_parameters()}
    pruned = dict(PruneMagnitude(0.5).compress(toy).named_parameters())
    expected = {
        "body.layer.0.weight": torch.tensor([[0.0, -3.0], [0.0, 4.0]]),
        "body.layer.1.weight": torch.tensor([[0.0, 0.4], [-0.3, 0.0]]),
    }
    for name, value in before.items():
        assert torch.equal(pruned[name], expected.get(name, value)), name
        assert torch.equal(toy.model.get_parameter(name), value), "the training's own model stays as it is"


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
def test_it_knows_the_blocks_of_every_family(encoders, family):
    training = encoders(family)
    layers = linear_layers(PruneMagnitude(0.7).compress(training), training.architecture)
    assert len(layers) == 3 * 6
    for layer in layers.values():
        assert int((layer.weight == 0).sum()) == int(0.7 * layer.weight.numel())


def test_without_a_share_it_is_a_copy_to_the_bit_of_a_wrapped_model_too(train):
    training = train("sst2", "lora:learning_rate=0.1", train_examples=8, eval_examples=4).training
    same, own = PruneMagnitude(0.0).compress(training).state_dict(), training.model.state_dict()
    assert same.keys() == own.keys()
    assert all(torch.equal(same[name], own[name]) and same[name] is not own[name] for name in own)


def test_a_model_without_linear_layers_is_declined(toy):
    toy.model.body.layer = torch.nn.ModuleList([torch.nn.LayerNorm(2), torch.nn.LayerNorm(2)])
    with pytest.raises(Unsupported, match="prune_magnitude finds no linear layer in the blocks of ToyModel"):
        PruneMagnitude().compress(toy)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_record_has_what_it_took(train, share):
    base, pruned = (train("sst2", s, epochs=1).record for s in ("adamw", f"prune_magnitude:share={share}"))
    weights = 2 * (4 * 32 * 32 + 2 * 32 * 64)  # of two blocks, 32 and 64 wide
    assert pruned.size.sparsity == pytest.approx(share * weights / base.cost.parameters, rel=0.01)
    assert pruned.size.saved_bytes == pruned.size.uncompressed_bytes == base.size.saved_bytes, (
        "a dense file does not shrink"
    )
    assert (
        min(
            pruned.timing.latency.latency_1,
            pruned.timing.latency.latency_32,
            pruned.timing.latency.uncompressed_latency_1,
            pruned.timing.latency.uncompressed_latency_32,
        )
        > 0
    )
    assert (base.size.sparsity, base.timing.latency.latency_1, base.size.uncompressed_bytes) == (None, None, None)
    assert pruned.curve.loss == base.curve.loss
    assert pruned.drift == base.drift
