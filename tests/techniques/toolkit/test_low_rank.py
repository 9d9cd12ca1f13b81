from __future__ import annotations

import pytest
import torch

from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.toolkit.low_rank import factors, low_rank_layers
from bench_lib.techniques.toolkit.peft_injection import LOW_RANK

FEW = {"train_examples": 8, "eval_examples": 4}
ALIKE = ("lora", "rslora", "dora", "lora_plus")
"""Those with the same start."""


@pytest.fixture
def layers(train):
    """The layers that a technique adds, before any update."""

    def made(name, seed=0):
        training = train("sst2", learning_rate=0.0, seed=seed, **FEW).training
        training.trained = None  # as before the optimiser is built
        TECHNIQUES.get(name)().prepare(training)
        return low_rank_layers(training)

    return made


def test_every_variant_is_one_of_the_list():
    assert {name for name in TECHNIQUES.names() if "lora" in name} | {"dora", "pissa"} == {*LOW_RANK, "adalora"}


def test_queries_and_values_of_each_block_have_factors(layers):
    found = layers("lora")
    blocks = (f"base_model.model.bert.encoder.layer.{i}.attention.self" for i in (0, 1))
    assert [*found] == [f"{block}.{part}" for block in blocks for part in ("query", "value")]
    a, b = factors(found[next(iter(found))])
    assert (a.shape, b.shape) == ((8, 32), (32, 8))


@pytest.mark.parametrize("name", ALIKE[1:])
def test_a_seed_gives_variants_the_same_start(layers, name):
    for one, other in zip(layers("lora").values(), layers(name).values(), strict=True):
        assert all(map(torch.equal, factors(one), factors(other)))


@pytest.mark.parametrize("name", ["lora_orthogonal", "pissa"])
def test_another_start_is_drawn_from_the_seed_alone(layers, name):
    first, other = layers(name), layers(name, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        again = layers(name)
    for place, layer in first.items():
        assert all(map(torch.equal, factors(layer), factors(again[place])))
        assert not torch.equal(factors(layer)[0], factors(other[place])[0])
