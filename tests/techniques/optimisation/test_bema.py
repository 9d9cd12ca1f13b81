from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.optimisation.bema import BEMA


def values(toy):
    return sorted({p.flatten()[0].item() for p in toy.model.parameters()})


def test_three_updates_by_hand(toy, follow):
    """From the first weights, 1: the average, and how far the weights have moved since then."""
    technique = BEMA(ema_power=0.5, bias_power=0.2, lag=10)
    follow(technique, [1.0, 3.0, 4.0])
    average = 1 + (3 - 1) * 12**-0.5
    average += (4 - average) * 13**-0.5
    with technique.evaluate_under(toy):
        assert values(toy) == pytest.approx([average + 13**-0.2 * (4 - 1)])
    assert values(toy) == [4.0]


def test_without_correction_it_is_the_average_alone(toy, follow):
    technique = BEMA(ema_power=1.0, bias_power=float("inf"), lag=1)
    follow(technique, [1.0, 4.0])
    with technique.evaluate_under(toy):
        assert values(toy) == pytest.approx([1 + 3 / 3])


def test_at_power_0_the_average_is_the_weights(toy, follow):
    technique = BEMA(ema_power=0.0, bias_power=float("inf"))
    follow(technique, [1.0, 4.0])
    with technique.evaluate_under(toy):
        assert values(toy) == [4.0]


def test_before_any_update_it_is_the_weights(toy):
    before = [p.detach().clone() for p in toy.model.parameters()]
    with BEMA().evaluate_under(toy):
        assert all(map(torch.equal, before, toy.model.parameters()))
