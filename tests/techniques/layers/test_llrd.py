from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.layers.llrd import LLRD


def test_rates_by_layer(toy):
    named = dict(toy.model.named_parameters())
    groups = LLRD(0.5).groups([Group(named, 0.8, 0.01)], toy)
    rates = {n: g.learning_rate for g in groups for n in g.parameters}
    # Two blocks: embeddings at decay^3, blocks at decay^2 and decay^1, pooler and head at the full rate.
    by_part = {"body.embeddings": 0.1, "body.layer.0": 0.2, "body.layer.1": 0.4, "body.pooler": 0.8, "classifier": 0.8}
    assert rates == pytest.approx({n: by_part[n.rpartition(".")[0]] for n in named})
    assert {g.weight_decay for g in groups} == {0.01}


@given(decay=st.floats(0.05, 1.0), rate=st.floats(1e-6, 1.0))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_level_has_the_decay_times_the_rate_of_the_level_above(toy, decay, rate):
    groups = LLRD(decay).groups([Group(dict(toy.model.named_parameters()), rate, 0.0)], toy)
    by_layer = {toy.architecture.layer_index(n): g.learning_rate for g in groups for n in g.parameters}
    assert sorted(by_layer) == [0, 1, 2, 3]
    assert by_layer[3] == rate
    for layer in range(3):
        assert by_layer[layer] == pytest.approx(decay * by_layer[layer + 1], rel=1e-9)


def test_groups_are_split_and_nothing_else_changes(toy):
    named = dict(toy.model.named_parameters())
    matrices = Group({n: p for n, p in named.items() if p.dim() == 2}, 0.8, 0.01)
    vectors = Group({n: p for n, p in named.items() if p.dim() == 1}, 0.4, 0.0)
    groups = LLRD().groups([matrices, vectors], toy)
    assert {n: p for g in groups for n, p in g.parameters.items()} == named
    assert sum(len(g.parameters) for g in groups) == len(named)
    decay = {n: g.weight_decay for g in groups for n in g.parameters}
    assert decay == {n: 0.01 if p.dim() == 2 else 0.0 for n, p in named.items()}
    assert {g.learning_rate for g in groups if "classifier.bias" in g.parameters} == {0.4}


def test_the_curve_shows_the_full_rate(train):
    usual, layered = (train("sst2", stack, eval_examples=4).record for stack in ("adamw", "llrd:decay=0.5"))
    assert layered.curve.learning_rate == usual.curve.learning_rate


def test_the_schedule_moves_all_levels_together(train):
    training = train("sst2", "llrd:decay=0.5", eval_examples=4, schedule="constant_with_warmup", warmup=0.0).training
    rates = {n: training.learning_rates()[id(p)] for n, p in training.trainable().items()}
    assert rates["bert.embeddings.word_embeddings.weight"] == pytest.approx(1e-3 / 8)
    assert rates["bert.encoder.layer.0.output.dense.bias"] == pytest.approx(1e-3 / 4)
    assert rates["bert.encoder.layer.1.output.dense.weight"] == pytest.approx(1e-3 / 2)
    assert rates["bert.pooler.dense.weight"] == rates["classifier.bias"] == pytest.approx(1e-3)
