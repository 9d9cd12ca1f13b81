from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, boschloo_exact, f, hypergeom, levene

from bench_lib.core.errors import BadValue
from bench_lib.stats.compare import boschloo, brown_forsythe, equivalent_failure_rates, mad_ratio

SAMPLE = st.lists(st.integers(0, 400).map(lambda k: k / 400), min_size=3, max_size=30)
COUNTS = st.integers(0, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def by_definition(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    """Twice the smaller one-sided p: the largest chance, over all common rates, of a Fisher p this small."""
    first, second = np.arange(n_a + 1)[:, None], np.arange(n_b + 1)[None, :]
    few = np.asarray(hypergeom.cdf(first, n_a + n_b, first + second, n_a))
    many = np.asarray(hypergeom.sf(first - 1, n_a + n_b, first + second, n_a))
    sides = []
    for fisher in (few, many):
        extreme = (fisher <= fisher[failures_a, failures_b] * (1 + 1e-9)).astype(float)
        low, high = 0.0, 1.0
        for _ in range(3):
            rates = np.linspace(low, high, 1001)[:, None]
            chances = ((binom.pmf(first.T, n_a, rates) @ extreme) * binom.pmf(second, n_b, rates)).sum(axis=1)
            best = int(chances.argmax())
            low, high = float(rates[max(best - 1, 0), 0]), float(rates[min(best + 1, 1000), 0])
        sides.append(float(chances.max()))
    return min(1.0, 2 * min(sides))


@pytest.mark.parametrize("counts", [(4, 20, 0, 20), (5, 75, 1, 70), (1, 1, 0, 1), (3, 8, 0, 30), (7, 9, 2, 12)])
def test_boschloo_is_its_definition(counts: tuple[int, int, int, int]) -> None:
    assert boschloo(*counts) == pytest.approx(by_definition(*counts), abs=1e-7)


def test_boschloo_is_scipys_with_the_samples_as_columns() -> None:
    assert boschloo(3, 10, 9, 12) == pytest.approx(boschloo_exact([[3, 9], [7, 3]]).pvalue, abs=1e-9)


def test_one_run_a_sample_by_hand() -> None:
    # One of two fails: the largest chance of just this table is 1/4, at a rate of one half; twice that is one half.
    assert boschloo(1, 1, 0, 1) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize(
    "counts", [(0, 0, 0, 0), (0, 0, 3, 5), (3, 5, 0, 0), (0, 30, 0, 20), (30, 30, 20, 20), (1, 1, 1, 1), (0, 1, 0, 1)]
)
def test_boschloo_is_one_where_the_counts_cannot_differ(counts: tuple[int, int, int, int]) -> None:
    assert boschloo(*counts) == 1.0


@given(COUNTS, COUNTS)
@settings(max_examples=40)
def test_boschloo_is_a_chance_that_knows_no_first_sample_and_no_failure_from_success(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    p = boschloo(*a, *b)
    assert 0 < p <= 1
    assert boschloo(*b, *a) == pytest.approx(p, abs=1e-6)
    assert boschloo(a[1] - a[0], a[1], b[1] - b[0], b[1]) == pytest.approx(p, abs=1e-6)


def test_boschloo_repeats_to_the_bit_and_leaves_the_global_generator() -> None:
    before = np.random.get_state(legacy=False)["state"]
    assert boschloo(4, 20, 1, 25) == boschloo(4, 20, 1, 25)
    after = np.random.get_state(legacy=False)["state"]
    assert np.array_equal(before["key"], after["key"])
    assert before["pos"] == after["pos"]


@pytest.mark.parametrize(("failures", "more"), [(0, 5), (0, 7), (3, 10), (20, 17), (50, 22), (90, 9)])
def test_where_fishers_test_takes_over_p_hardly_differs(failures: int, more: int) -> None:
    searched = boschloo_exact([[failures, failures + more], [101 - failures, 101 - failures - more]]).pvalue
    assert 0.001 < searched < 0.1
    assert searched <= boschloo(failures, 101, failures + more, 101) <= 1.8 * searched


def test_fishers_test_is_that_of_the_hypergeometric_distribution_and_fast() -> None:
    expected = 2 * hypergeom.cdf(3, 572, 15, 286)
    assert boschloo(3, 286, 12, 286) == boschloo(12, 286, 3, 286) == pytest.approx(expected)
    assert boschloo(5, 286, 5, 286) == 1.0
    assert boschloo(0, 10**6, 0, 10) == boschloo(0, 0, 3, 500) == 1.0
    assert boschloo(500, 10_000, 600, 10_000) < 0.01


def test_boschloo_takes_counts_from_arrays() -> None:
    a, b = np.array([4, 20], dtype=np.int8), np.array([100, 120], dtype=np.int8)
    assert boschloo(*a, *b) == boschloo(4, 20, 100, 120)


@pytest.mark.parametrize("counts", [(3, 2, 0, 5), (0, 5, -1, 5), (0, 5, 1.5, 5)])
def test_boschloo_refuses_counts_that_cannot_be(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadValue, match="number of failures"):
        boschloo(*counts)


@given(SAMPLE, SAMPLE)
def test_brown_forsythe_is_an_anova_of_the_distances_from_the_medians(a: list[float], b: list[float]) -> None:
    distances = [np.abs(np.array(sample) - np.median(sample)) for sample in (a, b)]
    p = brown_forsythe(a, b)
    assert 0 <= p <= 1
    if max(np.ptp(one) for one in distances) > 1e-12:
        pooled = np.concatenate(distances)
        between = sum(one.size * (one.mean() - pooled.mean()) ** 2 for one in distances)
        within = sum(((one - one.mean()) ** 2).sum() for one in distances)
        degrees = pooled.size - 2
        assert p == pytest.approx(f.sf(between / (within / degrees), 1, degrees), abs=1e-9)
        assert p == pytest.approx(levene(a, b, center="median").pvalue, abs=1e-9)
    assert brown_forsythe(b, a) == pytest.approx(p, abs=1e-9)


def test_brown_forsythe_by_hand() -> None:
    # Distances 1 0 1 and 4 0 4: means 2/3 and 8/3, F = 6 / (34/3 / 4) = 36/17 on 1 and 4 degrees of freedom.
    # For those the tail of t = sqrt(F) has a closed form.
    t = math.sqrt(36 / 17)
    sine = t / math.sqrt(4 + t * t)
    expected = 1 - sine * (1 + (1 - sine**2) / 2)
    assert brown_forsythe([-1, 0, 1], [-4, 0, 4]) == pytest.approx(expected, abs=1e-9)


@given(SAMPLE, SAMPLE, st.floats(-5, 5))
def test_brown_forsythe_does_not_see_where_a_sample_lies(a: list[float], b: list[float], shift: float) -> None:
    assert brown_forsythe(np.array(a) + shift, b) == pytest.approx(brown_forsythe(a, b), abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [([], []), ([0.5], [0.1, 0.2, 0.4]), ([0.1, 0.2, 0.4], [0.5]), ([], [0.1, 0.2])])
def test_brown_forsythe_cannot_test_fewer_than_two(a: list[float], b: list[float]) -> None:
    assert math.isnan(brown_forsythe(a, b))


@pytest.mark.parametrize(("n_a", "n_b"), [(2, 2), (5, 5), (3, 30)])
def test_brown_forsythe_finds_no_difference_where_neither_sample_spreads(n_a: int, n_b: int) -> None:
    assert brown_forsythe([0.1] * n_a, [0.7] * n_b) == 1.0


def test_brown_forsythe_where_one_sample_does_not_spread() -> None:
    # Distances 0 0 0 and 1 0 1: F = (2/3) / (2/3 / 4) = 4 on 1 and 4 degrees of freedom, so t = 2.
    sine = 2 / math.sqrt(8)
    expected = 1 - sine * (1 + (1 - sine**2) / 2)
    assert brown_forsythe([5, 5, 5], [-1, 0, 1]) == pytest.approx(expected, abs=1e-9)
    assert brown_forsythe([-1, 0, 1], [5, 5, 5]) == pytest.approx(expected, abs=1e-9)


def test_brown_forsythe_at_its_limit() -> None:
    assert brown_forsythe([0.5] * 4, [0.4, 0.6, 0.4, 0.6]) == 0.0
    assert brown_forsythe([0.1, 0.3, 0.1, 0.3], [0.4, 0.6, 0.4, 0.6]) == 1.0


@pytest.mark.parametrize(("a", "b"), [([0.1, 0.2], [0.1, 0.9]), ([0.1, 0.2], [0.5] * 30), ([0.5] * 30, [0.1, 0.2])])
def test_brown_forsythe_makes_no_claim_from_a_sample_of_two_that_has_no_noise(a: list[float], b: list[float]) -> None:
    assert math.isnan(brown_forsythe(a, b))


def test_brown_forsythe_tests_a_sample_of_two_against_one_with_noise() -> None:
    a, b = [0.1, 0.2], [0.5, 0.9, 0.1, 0.4]
    assert brown_forsythe(a, b) == pytest.approx(levene(a, b, center="median").pvalue, abs=1e-9)


def test_mad_ratio_is_below_one_where_the_first_sample_is_the_more_stable() -> None:
    assert mad_ratio([0.0, 1.0], [5.0, 9.0]) == 0.25
    assert mad_ratio([5.0, 9.0], [0.0, 1.0]) == 4.0


def test_mad_ratio_without_spread() -> None:
    assert mad_ratio([0.1, 0.1, 0.1], [0.7, 0.7]) == 1.0
    assert mad_ratio([0.1, 0.2], [0.7, 0.7]) == math.inf
    assert mad_ratio([0.7, 0.7, 0.7], [0.1, 0.2]) == 0.0


@pytest.mark.parametrize(("a", "b"), [([], [0.1, 0.2]), ([0.1, 0.2], []), ([0.5], [0.1, 0.2]), ([0.1, 0.2], [0.5])])
def test_mad_ratio_needs_two_in_each_sample(a: list[float], b: list[float]) -> None:
    assert math.isnan(mad_ratio(a, b))


@given(SAMPLE, st.floats(0.01, 100), st.floats(-5, 5))
def test_mad_ratio_of_a_sample_and_its_copy_is_the_scale(sample: list[float], factor: float, shift: float) -> None:
    if max(sample) > min(sample):
        assert mad_ratio(np.array(sample) * factor + shift, sample) == pytest.approx(factor, rel=1e-9)


@given(
    seeds=st.integers(20, 60),
    margin=st.sampled_from([0.05, 0.15, 0.3]),
    level=st.sampled_from([0.001, 0.01, 0.05]),
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_rates_that_differ_by_the_margin_are_seldom_equivalent_whatever_their_correlation(
    seeds: int, margin: float, level: float, rates: tuple[float, float]
) -> None:
    lower = rates[0] * (1 - margin)
    both = rates[1] * lower  # the chance that both fail: from never to whenever the better one fails
    alone = lower + margin - both
    accepted = [k for k in range(seeds + 1) if equivalent_failure_rates((k, 0), (seeds, seeds), margin) <= level]
    assert binom.pmf(accepted, seeds, min(alone, 1.0)).sum() <= level * (1 + 1e-9)


def test_equivalent_failure_rates_by_hand() -> None:
    def found(lone: tuple[int, int], runs: tuple[int, int], margin: float) -> float:
        return float(equivalent_failure_rates(lone, runs, margin))

    assert found((0, 0), (42, 42), 0.15) == pytest.approx(0.85**42)
    assert found((0, 1), (42, 42), 0.15) == pytest.approx(0.85**42 + 42 * 0.15 * 0.85**41)
    assert found((0, 0), (20, 30), 0.5) == pytest.approx(0.5**20)
    assert found((0, 0), (0, 9), 0.5) == 1
    many = equivalent_failure_rates([[0, 1], [1, 0]], (9, 9), 0.2)
    assert many.tolist() == pytest.approx([found((0, 1), (9, 9), 0.2)] * 2)
    sizes = equivalent_failure_rates([[0, 1], [1, 0]], [[9, 20], [9, 30]], 0.2)
    assert sizes.tolist() == [found((0, 1), (9, 9), 0.2), found((1, 0), (20, 30), 0.2)]


@pytest.mark.parametrize(("lone", "margin"), [((-1, 0), 0.1), ((0, 11), 0.1), ((0, 0), 0.0), ((0, 0), 1.0)])
def test_impossible_lone_failures_and_margins_are_refused(lone: tuple[int, int], margin: float) -> None:
    with pytest.raises(BadValue):
        equivalent_failure_rates(lone, (10, 10), margin)
