from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, wilcoxon

from bench_lib.core.errors import BadValue
from bench_lib.stats.flips import all_signs, sign_flip
from bench_lib.stats.paired import spread_contributions
from bench_lib.stats.tails import FINEST, SCALED, _share, sign_tail


def enumerated(contributions: np.ndarray, reach: float = 1e-9) -> float:
    """The share of patterns whose sum comes as near to the observed one as this share of the whole."""
    sums = np.abs(all_signs(contributions.size) @ np.abs(contributions))
    return float(np.mean(sums >= abs(contributions.sum()) - reach * np.abs(contributions).sum()))


@given(st.lists(st.integers(-40, 40), min_size=1, max_size=12), st.sampled_from([1, 0.1, 1 / 872, 1e50]))
@settings(max_examples=150)
def test_multiples_of_a_step_are_counted_exactly(counts: list[int], step: float) -> None:
    values = np.array(counts) * step
    assert sign_tail(values) == pytest.approx(enumerated(values), rel=1e-12)


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=12))
@settings(max_examples=150)
def test_any_sizes_are_counted_within_the_reach_of_rounding_and_never_short(values: list[float]) -> None:
    p, reach = sign_tail(values) * (1 + 1e-12), 2 * len(values) / FINEST
    assert enumerated(np.array(values)) <= p <= enumerated(np.array(values), reach) * (1 + 2e-12)


def test_of_hundreds_of_pairs_p_is_too_large_by_a_few_percent_at_most() -> None:
    # Whole numbers, which are counted exactly, and the same with noise that is no multiple of anything.
    draws = np.random.default_rng(0)
    for shift in (0, 1, 2, 3):
        whole = np.rint(draws.normal(shift, 10, 286))
        noisy = whole + np.where(whole == 0, 0, draws.uniform(-1e-7, 1e-7, whole.size))
        exact = sign_tail(whole)
        assert exact <= sign_tail(noisy) <= 1.1 * exact


def test_of_equal_sizes_it_is_the_sign_test() -> None:
    values = np.array([0.3] * 260 + [-0.3] * 40)
    assert sign_tail(values) == pytest.approx(binomtest(40, 300).pvalue, rel=1e-9)


def test_of_ranks_it_is_wilcoxons_test() -> None:
    ranks = np.arange(1.0, 31) * np.where(np.random.default_rng(0).random(30) < 0.12, -1, 1)
    assert sign_tail(ranks) == pytest.approx(wilcoxon(ranks, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize("pairs", [30, 286])
def test_it_is_what_drawing_signs_estimates(pairs: int) -> None:
    draws = np.random.default_rng(pairs)
    for shift in (0.0, 0.3):
        a, b = draws.normal(shift * math.sqrt(30 / pairs), 1, (2, pairs)) * [[1.2], [1]]
        for values in (*spread_contributions(a, b), a - b):
            p = sign_tail(values)
            assert sign_flip(values, draws, 9999) == pytest.approx(p, abs=4 * math.sqrt(p / 9999) + 2e-4)


def test_it_reaches_far_below_one_in_ten_thousand() -> None:
    assert sign_tail(np.ones(30)) == pytest.approx(2.0**-29)
    assert 0 < sign_tail(np.random.default_rng(0).uniform(1, 2, 1000)) < 1e-290


@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=30))
@settings(max_examples=60)
def test_neither_order_nor_sign_of_all_nor_scale_matters(values: list[float]) -> None:
    p = sign_tail(values)
    assert 0 < p <= 1
    assert sign_tail(values[::-1]) == pytest.approx(p)
    assert sign_tail([-value for value in values]) == p
    assert sign_tail([value * 2.0**20 for value in values]) == p


@pytest.mark.parametrize("values", [[], [0.0], [0.0] * 30, [0.5]])
def test_where_nothing_can_differ_p_is_one(values: list[float]) -> None:
    assert sign_tail(values) == 1


@pytest.mark.parametrize("values", [[math.nan], [math.inf], [[1.0]], ["a"]])
def test_what_is_no_number_is_refused(values: list[object]) -> None:
    with pytest.raises(BadValue, match="scores"):
        sign_tail(values)


@pytest.mark.parametrize("pairs", [1, 7, 286, SCALED - 1, SCALED, SCALED + 1, 1000])
def test_counting_gives_the_bits_of_halving_shares(pairs: int) -> None:
    steps = np.random.default_rng(pairs).integers(0, 60, pairs)
    for most in (0, int(steps.sum()) // 4, int(steps.sum()) // 2):
        shares = np.zeros(most + 1)
        shares[0] = 1
        for step in np.sort(steps).tolist():
            moved = np.concatenate([np.zeros(step), shares])[: most + 1]
            shares = shares / 2 + moved / 2
        assert _share(steps, most) == float(shares.sum())
