from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench_lib.techniques.optimisation.lawa import LAWA

unchecked = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


def seen(toy, technique):
    with technique.evaluate_under(toy):
        (value,) = {p.flatten()[0].item() for p in toy.trainable().values()}
    return value


def test_the_mean_of_the_latest_checkpoints_by_hand(follow):
    # Every second of eight updates, counted back from the last: after updates 8, 6 and 4.
    technique = LAWA(checkpoints=3, every=0.25)
    toy = follow(technique, [90.0, 90.0, 90.0, 1.0, 90.0, 3.0, 90.0, 11.0])
    assert seen(toy, technique) == 5.0
    assert all((p == 11).all() for p in toy.model.parameters()), "the training goes on from the last weights"


@pytest.mark.parametrize(("steps", "distance"), [(1, 1), (9, 1), (40, 2), (1000, 50)])
def test_the_distance_is_a_share_of_the_run(steps, distance):
    assert LAWA()._distance(steps) == distance


@unchecked
@given(
    values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30),
    checkpoints=st.integers(1, 8),
    every=st.sampled_from([0.05, 0.1, 0.3, 1.0]),
)
def test_it_is_the_arithmetic_mean_of_what_the_formula_names(follow, values, checkpoints, every):
    technique = LAWA(checkpoints, every)
    named = values[:: -technique._distance(len(values))][:checkpoints]
    assert seen(follow(technique, values), technique) == pytest.approx(sum(named) / len(named), abs=1e-4)


@unchecked
@given(count=st.integers(1, 12))
def test_on_the_way_it_takes_the_weights_and_the_checkpoints_there_are(follow, count):
    values = [2.0**n for n in range(1, 13)]
    technique = LAWA(checkpoints=3, every=0.25)  # checkpoints after updates 3, 6, 9 and 12 of 12
    toy = follow(technique, values[:count], total=12)
    earlier = [values[step - 1] for step in (3, 6, 9) if step < count][-2:]
    assert seen(toy, technique) == pytest.approx((values[count - 1] + sum(earlier)) / (1 + len(earlier)))


def test_one_checkpoint_is_the_last_weights_to_the_bit_and_holds_no_copy(follow):
    technique = LAWA(checkpoints=1)
    for count in (2, 3):
        toy = follow(technique, [1.0, 0.3, 0.1][:count], total=3)
        assert seen(toy, technique) == torch.tensor([1.0, 0.3, 0.1])[count - 1].item()
        assert not [copies for _, copies in toy.memory.values() if copies]


def test_it_holds_no_more_copies_than_checkpoints(follow):
    technique = LAWA(checkpoints=2, every=0.1)
    toy = follow(technique, [float(n) for n in range(10)])
    ((_, copies),) = toy.memory.values()
    assert [(step, tensors[0].flatten()[0].item()) for step, tensors in copies] == [(8, 7.0), (9, 8.0)]


def test_frozen_parameters_are_left_out(toy, follow):
    frozen = toy.model.get_input_embeddings().weight.requires_grad_(False)
    technique = LAWA(checkpoints=2, every=0.5)
    with technique.evaluate_under(follow(technique, [1.0, 3.0])):
        assert (frozen == 3.0).all()
        assert (toy.model.classifier.weight == 2.0).all()


def test_a_run_is_scored_under_the_mean_of_its_checkpoints(train):
    changes = {"evaluations": 1, "learning_rate": 0.01, "epochs": 2}
    usual, averaged, last = (train("sst2", stack, **changes) for stack in ("adamw", "lawa", "lawa:checkpoints=1"))
    assert averaged.record.curve.loss == usual.record.curve.loss
    assert all(torch.equal(p, usual.parameters[n]) for n, p in averaged.parameters.items())
    assert not (averaged.record.predictions.values == usual.record.predictions.values).all()
    assert (last.record.predictions.values == usual.record.predictions.values).all()
