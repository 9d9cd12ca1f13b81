from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.models.architecture import Architecture
from bench_lib.techniques.layers.gradual_unfreezing import GradualUnfreezing

SETTINGS = {"train_examples": 16, "eval_examples": 4, "warmup": 0.0}  # two updates an epoch, two blocks
TOP, ALL = {"pooler", "classifier"}, {"pooler", "classifier", "layer.1", "layer.0", "embeddings"}


def parts(change):
    names = (name.removeprefix("bert.").removeprefix("encoder.").split(".") for name in change)
    return {".".join(name[:2]) if name[0] == "layer" else name[0] for name in names}


def names(depth):
    blocks = [f"bert.encoder.layer.{number}.weight" for number in range(depth)]
    return ["bert.embeddings.word", *blocks, "bert.pooler.weight", "classifier.weight"]


def of(depth, epochs):
    architecture = Architecture("bert", ("bert.embeddings",), ("bert.encoder.layer",), depth, "bert.pooler")
    return SimpleNamespace(architecture=architecture, steps_per_epoch=3, total_steps=3 * epochs)


def test_one_block_an_epoch_by_hand():
    phases = GradualUnfreezing().phases(of(depth=3, epochs=9))
    trained = [[name for name in names(3) if phase.trains(name)] for phase in phases]
    assert [phase.first_step for phase in phases] == [0, 3, 6, 9]
    assert trained == [names(3)[4:], names(3)[3:], names(3)[2:], names(3)]
    assert not any(phase.restarts or phase.learning_rate for phase in phases)


@given(depth=st.integers(1, 12), blocks=st.integers(1, 14), epochs=st.integers(1, 15))
def test_in_each_epoch_the_levels_that_the_formula_names(depth, blocks, epochs):
    phases = {p.first_step: p for p in GradualUnfreezing(blocks).phases(of(depth, epochs))}
    for epoch in range(epochs):
        phase = phases[max(start for start in phases if start <= 3 * epoch)]
        frozen = max(0, depth - blocks * epoch)
        expected = names(depth)[1 + frozen :] if frozen else names(depth)
        assert [name for name in names(depth) if phase.trains(name)] == expected


def test_a_run_thaws_from_the_top_and_what_is_frozen_stays_to_the_bit(moves):
    record, changes = moves("conll2003", "gradual_unfreezing", **SETTINGS, epochs=4)
    head = {"classifier"}  # a model for tokens has no pooler
    expected = [head] * 2 + [head | {"layer.1"}] * 2 + [ALL - {"pooler"}] * 4
    assert [parts(change) for change in changes] == expected
    assert record.curve.learning_rate == pytest.approx([1e-3 * (8 - step) / 8 for step in range(8)])
    assert record.cost.trainable_parameters == record.cost.parameters


def test_the_pooler_trains_with_the_head_and_the_lowest_never_in_a_short_run(moves):
    record, changes = moves("sst2", "gradual_unfreezing", **SETTINGS, epochs=2)
    assert [parts(change) for change in changes] == [TOP] * 2 + [TOP | {"layer.1"}] * 2
    frozen, _ = moves("sst2", "freeze_bottom", **SETTINGS, epochs=2)
    assert record.cost.trainable_parameters == frozen.cost.trainable_parameters, "half of two blocks"


def test_more_blocks_an_epoch(moves):
    _, changes = moves("sst2", "gradual_unfreezing:blocks=2", **SETTINGS, epochs=2)
    assert [parts(change) for change in changes] == [TOP] * 2 + [ALL] * 2


def test_all_at_once_is_no_phase(toy):
    assert GradualUnfreezing(0).phases(toy) == ()


def test_adapters_in_the_blocks_thaw_with_them(moves):
    _, changes = moves("conll2003", "lora+gradual_unfreezing", **SETTINGS, epochs=3)
    adapted = [{number for number in (0, 1) for name in change if f".layer.{number}." in name} for change in changes]
    assert adapted == [set(), set(), {1}, {1}, {0, 1}, {0, 1}]
