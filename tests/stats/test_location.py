from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test, trim_mean

from bench_lib.core.errors import BadValue
from bench_lib.stats.bootstrap import Floats, bca_interval
from bench_lib.stats.location import (
    expected_maximum,
    expected_maximum_rows,
    iqm,
    iqm_rows,
    paired_permutation,
)

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=9)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def lattice(counts: list[int] | np.ndarray) -> Floats:
    """Scores whose differences, equal in truth, are not equal in floating point."""
    return 0.7 + np.asarray(counts) / 400


# ---- interquartile mean ----------------------------------------------------------------------------------------------


def test_iqm_by_hand() -> None:
    # Of nine scores two go at either end.
    assert iqm([9, 100, 1, 2, 3, 4, 5, -50, 6]) == pytest.approx((2 + 3 + 4 + 5 + 6) / 5, abs=1e-12)
    assert iqm([1.0, 2.0, 6.0]) == pytest.approx(3.0, abs=1e-12)
    assert iqm([0.0, 1.0, 3.0, 100.0]) == pytest.approx(2.0, abs=1e-12)


@given(SCORES)
def test_iqm_is_scipys_trimmed_mean(scores: list[float]) -> None:
    assert iqm(scores) == pytest.approx(trim_mean(scores, 0.25), abs=1e-9)


@given(st.floats(-1e100, 1e100), st.integers(1, 30))
def test_iqm_of_equal_scores_is_that_score(value: float, n: int) -> None:
    assert iqm([value] * n) == value


def test_iqm_of_none() -> None:
    assert math.isnan(iqm([]))


def test_iqm_of_rows_is_that_of_each_row() -> None:
    rows = generator(1).normal(size=(3, 4, 11))
    found = iqm_rows(rows)
    assert found.shape == (3, 4)
    assert found == pytest.approx(np.apply_along_axis(iqm, -1, rows), abs=1e-12)


def test_iqm_has_an_interval() -> None:
    scores = np.r_[generator(1).normal(size=28), -1000.0, 1000.0]
    low, high = bca_interval(iqm_rows, scores, generator())
    assert -1 < low < iqm(scores) < high < 1


# ---- expected maximum ------------------------------------------------------------------------------------------------


def test_expected_maximum_by_hand() -> None:
    assert expected_maximum([1, 0], 2) == pytest.approx(3 / 4, abs=1e-12)
    # Of the nine pairs of 1 2 4, one has the maximum 1, three have 2 and five have 4.
    assert expected_maximum([4, 1, 2], 2) == pytest.approx((1 + 3 * 2 + 5 * 4) / 9, abs=1e-12)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=4), st.integers(1, 4))
def test_expected_maximum_is_the_mean_over_all_draws_ties_included(scores: list[int], k: int) -> None:
    best = [max(drawn) for drawn in itertools.product(scores, repeat=k)]
    assert expected_maximum(scores, k) == pytest.approx(np.mean(best), abs=1e-9)


@given(SCORES)
def test_expected_maximum_rises_from_the_mean_to_the_highest(scores: list[float]) -> None:
    found = expected_maximum(scores, [1, 2, 5, 20, 10**6])
    assert found[0] == pytest.approx(np.mean(scores), abs=1e-9)
    assert np.all(np.diff(found) >= -1e-12)
    assert found[-1] <= max(scores)
    assert found[-1] == pytest.approx(max(scores), abs=1e-9)


def test_expected_maximum_has_the_shape_of_k() -> None:
    scores = [0.1, 0.4, 0.2]
    table = expected_maximum(scores, np.array([[1, 2, 3], [4, 5, 6]]))
    assert table.shape == (2, 3)
    assert table[1, 2] == pytest.approx(expected_maximum(scores, 6), abs=1e-12)
    assert isinstance(expected_maximum(scores, 6), float)
    assert expected_maximum(scores, np.array([], dtype=int)).shape == (0,)


@given(st.floats(-1e100, 1e100), st.integers(1, 30), st.integers(1, 50))
def test_expected_maximum_of_equal_scores_is_that_score(value: float, n: int, k: int) -> None:
    assert expected_maximum([value] * n, k) == value


def test_expected_maximum_of_none() -> None:
    assert math.isnan(expected_maximum([], 3))
    assert np.isnan(expected_maximum([], [1, 2])).tolist() == [True, True]


def test_expected_maximum_of_rows_is_that_of_each_row() -> None:
    rows = generator(1).normal(size=(3, 4, 11))
    assert expected_maximum_rows(rows, 5).shape == (3, 4)
    found = expected_maximum_rows(rows, [1, 5])
    assert found.shape == (3, 4, 2)
    assert found[2, 1] == pytest.approx(expected_maximum(rows[2, 1], [1, 5]), abs=1e-12)


def test_expected_maximum_has_an_interval() -> None:
    scores = generator(1).random(30)
    low, high = bca_interval(lambda rows: expected_maximum_rows(rows, 5), scores, generator())
    assert 0.5 < low < expected_maximum(scores, 5) < high <= 1


@pytest.mark.parametrize("k", [0, -1, 1.5, [1, 0], True, math.nan])
def test_runs_that_cannot_be_drawn_are_refused(k: object) -> None:
    with pytest.raises(BadValue, match="pick the best from"):
        expected_maximum([0.1, 0.2], k)


# ---- paired permutation ----------------------------------------------------------------------------------------------


def gap(first: Floats, second: Floats, axis: int) -> Floats:
    return np.asarray((first - second).mean(axis=axis))


def test_permutation_by_hand() -> None:
    # All of three differences have one sign: two of the eight patterns reach that sum.
    assert paired_permutation([1, 2, 3], [0, 0, 0], generator()) == pytest.approx(2 / 8, abs=1e-12)
    # 1 + 2 - 3 is nothing.
    assert paired_permutation([1, 2, 0], [0, 0, 3], generator()) == 1.0
    # 1 - 2 + 4 = 3: reached by 7, 5 and 3 and their opposites.
    assert paired_permutation([1, 0, 4], [0, 2, 0], generator()) == pytest.approx(6 / 8, abs=1e-12)


@given(PAIRS)
@settings(max_examples=50)
def test_few_pairs_are_enumerated_as_scipy_does(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    expected = permutation_test((a, b), gap, permutation_type="samples", n_resamples=math.inf, vectorized=True).pvalue
    # Twice the smaller tail where the null distribution is symmetric is the share of both.
    assert paired_permutation(a, b, generator()) == pytest.approx(expected, abs=1e-9)
    assert paired_permutation(lattice(a), lattice(b), generator()) == pytest.approx(expected, abs=1e-9)


def test_continuous_scores_are_enumerated_as_scipy_does() -> None:
    a, b = generator(1).normal(0.5, size=11), generator(2).normal(size=11)
    expected = permutation_test((a, b), gap, permutation_type="samples", n_resamples=math.inf, vectorized=True).pvalue
    assert paired_permutation(a, b, generator()) == pytest.approx(expected, abs=1e-9)


def test_enumeration_leaves_the_generator_alone() -> None:
    source = generator(5)
    paired_permutation(generator(1).normal(size=13), np.zeros(13), source)
    assert source.bit_generator.state == generator(5).bit_generator.state


def test_many_pairs_are_sampled() -> None:
    a, b = generator(1).normal(0.4, size=16), generator(2).normal(size=16)
    exact = paired_permutation(a, b, generator(), resamples=2**16)
    sampled = paired_permutation(a, b, generator())
    assert 0.01 < exact < 0.99
    assert sampled != exact
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 9999))
    assert sampled * 10_000 == pytest.approx(round(sampled * 10_000), abs=1e-6)


def test_sampling_never_finds_less_than_the_observed_one() -> None:
    assert paired_permutation(np.ones(60), np.zeros(60), generator(), resamples=999) == 1 / 1000


@pytest.mark.parametrize("n", [0, 1])
def test_no_pair_and_one_pair_tell_nothing(n: int) -> None:
    assert paired_permutation([0.9] * n, [0.1] * n, generator()) == 1.0


@pytest.mark.parametrize("n", [2, 5, 50])
def test_pairs_that_do_not_differ_but_for_rounding(n: int) -> None:
    assert paired_permutation([0.7] * n, [0.7] * n, generator()) == 1.0
    assert paired_permutation([0.1 + 0.2] * n, [0.3] * n, generator()) == 1.0


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_equal_seeds_give_equal_bits_and_the_samples_are_alike(seed: int) -> None:
    a, b = generator(1).normal(size=30), generator(2).normal(size=30)
    first = paired_permutation(a, b, generator(seed), resamples=500)
    assert paired_permutation(a, b, generator(seed), resamples=500) == first
    assert paired_permutation(b, a, generator(seed), resamples=500) == first


def test_permutation_keeps_its_level() -> None:
    samples = generator(3).normal(size=(300, 2, 9))
    p_values = np.array([paired_permutation(*two, generator()) for two in samples])
    assert 0.02 <= np.mean(p_values <= 0.05) <= 0.09


def test_permutation_refuses_what_is_no_pairing_and_too_few_resamples() -> None:
    with pytest.raises(BadValue, match="to pair is 3"):
        paired_permutation([0.1, 0.2], [0.1, 0.2, 0.3], generator())
    with pytest.raises(BadValue, match="resamples is 9"):
        paired_permutation([0.1, 0.2], [0.1, 0.3], generator(), resamples=9)
