from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench_lib.techniques.optimisation.swa import SWA


def seen(toy, technique):
    with technique.evaluate_under(toy):
        (value,) = {p.flatten()[0].item() for p in toy.trainable().values()}
    return value


def test_the_mean_of_the_last_quarter_by_hand(follow):
    technique = SWA()
    toy = follow(technique, [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 4.0])
    assert seen(toy, technique) == 2.5
    assert all((p == 4).all() for p in toy.model.parameters()), "the training goes on from the last weights"


@pytest.mark.parametrize(("steps", "averaged"), [(1, 1), (4, 1), (6, 2), (8, 2), (10, 2), (100, 25)])
def test_whole_updates_are_averaged_and_one_at_least(steps, averaged):
    assert SWA()._averaged(steps) == averaged
    assert SWA(1e-9)._averaged(steps) == 1
    assert (SWA(0.0)._averaged(steps), SWA(1.0)._averaged(steps)) == (0, steps)


@pytest.mark.parametrize(("values", "mean"), [([1.0, 2.0], 2.0), ([1.0, 2.0, 7.0], 7.0), ([1.0, 2.0, 7.0, 8.0], 7.5)])
def test_before_the_averaging_starts_it_is_the_weights_and_holds_no_copy(follow, values, mean):
    technique = SWA(0.5)
    toy = follow(technique, values, total=4)
    assert seen(toy, technique) == mean
    assert len(toy.memory) == (len(values) > 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40))
def test_it_is_the_arithmetic_mean(follow, values):
    technique = SWA(1.0)
    toy = follow(technique, values)
    assert seen(toy, technique) == pytest.approx(sum(values) / len(values), abs=1e-4)


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_without_a_share_or_of_one_update_it_is_the_last_weights_to_the_bit(follow, share):
    technique = SWA(share)
    assert seen(follow(technique, [1.0, 0.3, 0.1]), technique) == torch.tensor(0.1).item()


def test_frozen_parameters_are_left_out(toy, follow):
    frozen = toy.model.get_input_embeddings().weight.requires_grad_(False)
    technique = SWA(1.0)
    with technique.evaluate_under(follow(technique, [1.0, 3.0])):
        assert (frozen == 3.0).all()
        assert (toy.model.classifier.weight == 2.0).all()


def test_a_run_is_scored_under_the_mean_of_its_last_weights(train):
    changes = {"evaluations": 1, "learning_rate": 0.01, "epochs": 2}
    usual, averaged, last = (train("sst2", stack, **changes) for stack in ("adamw", "swa", "swa:share=0"))
    assert averaged.record.curve.loss == usual.record.curve.loss
    assert all(torch.equal(p, usual.parameters[n]) for n, p in averaged.parameters.items())
    assert not (averaged.record.predictions.values == usual.record.predictions.values).all()
    assert (last.record.predictions.values == usual.record.predictions.values).all()
