from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.optimisation.ema import EMA


def after(toy, technique, value):
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter.fill_(value)
    technique.after_update(toy)


def values(toy):
    return {p.flatten()[0].item() for p in toy.model.parameters()}


def test_the_average_by_hand_from_the_first_update_on(toy):
    toy.total_steps = 10_000  # at which the decay is not scaled
    technique = EMA(0.9)
    for value, average in ((1.0, 1.0), (2.0, 1.1), (4.0, 0.9 * 1.1 + 0.1 * 4)):
        after(toy, technique, value)
        with technique.evaluate_under(toy):
            assert list(values(toy)) == pytest.approx([average])
        assert values(toy) == {value}


def test_the_decay_is_scaled_to_the_length_of_the_run(toy):
    assert EMA(0.999)._scaled(10_000) == 0.999
    assert EMA(0.999)._scaled(100) == pytest.approx(0.999**100)
    toy.total_steps = 5_000
    technique = EMA(0.9)
    after(toy, technique, 1.0)
    after(toy, technique, 2.0)
    with technique.evaluate_under(toy):
        assert list(values(toy)) == pytest.approx([0.81 * 1 + 0.19 * 2])


def test_without_decay_it_is_the_last_weight_to_the_bit(toy):
    technique = EMA(0.0)
    for value in (1.0, 0.1, 0.7):
        after(toy, technique, value)
    with technique.evaluate_under(toy):
        assert values(toy) == {torch.tensor(0.7).item()}


@pytest.mark.parametrize("raising", [False, True])
def test_the_weights_are_given_back_as_the_same_tensors(toy, raising):
    toy.total_steps = 10_000
    technique = EMA(0.9)
    after(toy, technique, 1.0)
    after(toy, technique, 3.0)
    before = {n: (p.data_ptr(), p.detach().clone()) for n, p in toy.model.named_parameters()}
    try:
        with technique.evaluate_under(toy):
            assert values(toy) != {3.0}
            if raising:
                raise RuntimeError("out of luck")
    except RuntimeError:
        assert raising
    for name, parameter in toy.model.named_parameters():
        assert parameter.data_ptr() == before[name][0]
        assert torch.equal(parameter, before[name][1])


def test_the_average_does_not_follow_the_weights_between_updates(toy):
    technique = EMA(0.9)
    after(toy, technique, 1.0)
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter.fill_(50.0)
    with technique.evaluate_under(toy):
        assert values(toy) == {1.0}


def test_frozen_parameters_are_left_out(toy):
    frozen = toy.model.get_input_embeddings().weight.requires_grad_(False)
    technique = EMA(0.9)
    after(toy, technique, 1.0)
    with torch.no_grad():
        frozen.fill_(5.0)
    with technique.evaluate_under(toy):
        assert (frozen == 5.0).all()


def test_equal_averages_beside_each_other_do_not_share_their_state(toy):
    toy.total_steps = 10_000
    one, other = EMA(0.9), EMA(0.9)
    after(toy, one, 1.0)
    other.after_update(toy)
    after(toy, one, 2.0)
    other.after_update(toy)
    for technique in (one, other):
        with technique.evaluate_under(toy):
            assert list(values(toy)) == pytest.approx([1.1])


def test_a_run_is_scored_under_the_average_and_trained_without_it(train):
    changes = {"evaluations": 4, "learning_rate": 0.01}
    usual, averaged = (train("sst2", stack, **changes) for stack in ("adamw", "ema"))
    assert averaged.record.curve.loss == usual.record.curve.loss
    assert all(torch.equal(p, usual.parameters[n]) for n, p in averaged.parameters.items())
    assert not (averaged.record.predictions.values == usual.record.predictions.values).all()


def test_all_weights_at_once_are_the_same_bits_as_one_by_one(toy):
    toy.total_steps = 10_000
    technique = EMA(0.9)
    after(toy, technique, 0.1)
    expected = {n: p.detach().clone() for n, p in toy.trainable().items()}
    with torch.no_grad():
        for name, parameter in toy.trainable().items():
            parameter.copy_(torch.linspace(-3, 5, parameter.numel()).view_as(parameter))
            expected[name].lerp_(parameter, 1 - 0.9)
    technique.after_update(toy)
    with technique.evaluate_under(toy):
        assert all(torch.equal(p, expected[n]) for n, p in toy.trainable().items())
