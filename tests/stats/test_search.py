from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench_lib.stats.search import expected_best, trial_score


@pytest.mark.parametrize("scores", [[0.5], [0.2, 0.9], [0.7, 0.1, 0.4, 0.4], [0.9, -0.3, 0.0, 0.5, 0.9]])
def test_it_is_the_mean_over_all_orders(scores: list[float]) -> None:
    orders = np.array([np.maximum.accumulate(order) for order in itertools.permutations(scores)])
    assert expected_best(np.array(scores)) == pytest.approx(orders.mean(axis=0))


def test_it_rises_from_the_mean_to_the_best_whatever_the_order() -> None:
    scores = np.random.default_rng(0).random(64)
    found = expected_best(scores)
    assert found[0] == pytest.approx(scores.mean())
    assert found[-1] == pytest.approx(scores.max())
    assert (np.diff(found) >= 0).all()
    assert np.array_equal(found, expected_best(scores[::-1]))


def test_no_trials_have_no_best() -> None:
    assert expected_best(np.array([])).shape == (0,)


@pytest.mark.parametrize(
    ("trial", "worth"),
    [
        ((True, 0.8, 0.5), 0.8),
        ((False, 0.4, 0.5), 0.5),
        ((False, None, 0.5), 0.5),
        ((False, None, None), 0.0),
        ((False, float("nan"), float("nan")), 0.0),
    ],
)
def test_a_failed_trial_is_worth_what_a_constant_is(
    trial: tuple[bool, float | None, float | None], worth: float
) -> None:
    assert trial_score(*trial) == worth
