from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from bench_lib.core.errors import BadValue
from bench_lib.stats.aso import violation_bound, violation_ratio

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=20)
LATTICE = st.lists(st.integers(0, 8).map(lambda k: 0.7 + k / 400), min_size=1, max_size=20)
SAMPLE = st.one_of(SCORES, LATTICE)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def on_a_grid(a: list[float], b: list[float]) -> float:
    """The ratio by summing over stretches so fine that neither quantile function moves within one."""
    middles = (np.arange(len(a) * len(b)) + 0.5) / (len(a) * len(b))
    ahead = np.quantile(a, middles, method="inverted_cdf") - np.quantile(b, middles, method="inverted_cdf")
    return float((ahead[ahead < 0] ** 2).sum() / (ahead**2).sum())


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([5, 6, 7], [1, 2], 0.0),  # disjoint
        ([1, 2], [5, 6, 7], 1.0),
        ([3, 2], [2, 1], 0.0),  # never below
        ([3, 3], [3, 1], 0.0),
        ([0, 3], [2, 1], 1 / 2),  # 1 ahead at the bottom, 1 behind at the top
        ([0, 4], [1, 2], 1 / 5),
        ([1], [0, 3], 4 / 5),
        # b is ahead by 1 up to 1/2; then a by 2 up to 2/3, and by 1 from there.
        ([0, 3], [1, 1, 2], (1 / 2) / (1 / 2 + 4 / 6 + 1 / 3)),
    ],
)
def test_it_by_hand(a: list[float], b: list[float], expected: float) -> None:
    assert violation_ratio(a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [([0.5], [0.5]), ([1, 2, 3], [3, 2, 1]), ([1, 2], [1, 1, 2, 2]), ([0.1 + 0.2], [0.3, 0.3]), ([0.7] * 4, [0.7] * 9)],
)
def test_equal_samples_are_halfway(a: list[float], b: list[float]) -> None:
    assert violation_ratio(a, b) == 0.5


@given(LATTICE, LATTICE)
def test_it_integrates_the_quantile_functions(a: list[float], b: list[float]) -> None:
    if sorted(a * len(b)) != sorted(b * len(a)):
        assert violation_ratio(a, b) == pytest.approx(on_a_grid(a, b), abs=1e-9)


@given(SAMPLE, SAMPLE)
def test_the_ratios_of_either_order_add_up_to_one(a: list[float], b: list[float]) -> None:
    assert violation_ratio(a, b) + violation_ratio(b, a) == pytest.approx(1, abs=1e-12)


@given(LATTICE, LATTICE, st.sampled_from([0.1, -3.7, 1000.3]), st.sampled_from([0.1, 3.0, 700.0]))
def test_neither_origin_nor_unit_matters_and_the_sign_turns_it(
    a: list[float], b: list[float], shift: float, factor: float
) -> None:
    ratio = violation_ratio(a, b)
    moved = violation_ratio(np.array(a) * factor + shift, np.array(b) * factor + shift)
    assert moved == pytest.approx(ratio, abs=1e-8)
    assert violation_ratio(-np.array(b), -np.array(a)) == pytest.approx(ratio, abs=1e-12)


@pytest.mark.parametrize("scale", [1e100, 1e-200, 5e-324])
def test_it_copes_with_large_and_small_scores(scale: float) -> None:
    assert violation_ratio([0, scale], [0, 0]) == 0.0
    assert violation_ratio([-scale, scale], [0, 0]) == 0.5


def test_no_scores_have_no_ratio() -> None:
    assert math.isnan(violation_ratio([], [0.5]))
    assert math.isnan(violation_ratio([0.5], []))


def test_the_bound_is_the_ratio_and_its_bootstrapped_deviation() -> None:
    a, b = generator(1).normal(0.5, 1, 12), generator(2).normal(0, 1, 15)
    drawn = generator(7)
    first, second = drawn.integers(0, 12, (400, 12)), drawn.integers(0, 15, (400, 15))
    found = [on_a_grid(a[i], b[j]) for i, j in zip(first, second, strict=True)]
    expected = on_a_grid(a, b) + norm.ppf(0.9) * np.std(found, ddof=1)
    assert 0.05 < expected < 0.95
    assert violation_bound(a, b, generator(7), 0.9, resamples=400) == pytest.approx(expected, abs=1e-9)


@given(SAMPLE, SAMPLE)
@settings(max_examples=30)
def test_the_bound_lies_between_the_ratio_and_one(a: list[float], b: list[float]) -> None:
    a, b = [*a, a[0]], [*b, b[0]]
    bound = violation_bound(a, b, generator(), resamples=200)
    assert violation_ratio(a, b) <= bound <= 1
    assert bound <= violation_bound(a, b, generator(), 0.99, resamples=200)


def test_more_runs_bring_the_bound_down() -> None:
    a, b = generator(1).normal(1, 1, 300), generator(2).normal(0, 1, 300)
    few, many = (violation_bound(a[:n], b[:n], generator(), resamples=500) for n in (8, 300))
    assert many < 0.1 < few


def test_the_bound_of_samples_that_no_resample_changes() -> None:
    assert violation_bound([5, 6], [1, 2], generator()) == 0.0
    assert violation_bound([1, 2], [5, 6], generator()) == 1.0
    assert violation_bound([0.7] * 3, [0.7] * 2, generator()) == 0.5


@pytest.mark.parametrize(("a", "b"), [([], []), ([0.5], [0.1, 0.2]), ([0.1, 0.2], [0.5])])
def test_the_bound_needs_two_scores_in_each_sample(a: list[float], b: list[float]) -> None:
    assert math.isnan(violation_bound(a, b, generator()))


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_equal_seeds_give_equal_bits(seed: int) -> None:
    a, b = generator(1).normal(size=20), generator(2).normal(size=25)
    assert violation_bound(a, b, generator(seed), resamples=300) == violation_bound(
        a, b, generator(seed), resamples=300
    )


def test_the_samples_are_left_alone() -> None:
    a, b = np.array([3.0, 1.0, 2.0]), np.array([2.0, 5.0])
    violation_ratio(a, b)
    assert a.tolist() == [3, 1, 2]
    assert b.tolist() == [2, 5]


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        violation_ratio([0.1, math.nan], [0.1])
    with pytest.raises(BadValue, match="confidence"):
        violation_bound([], [], generator(), 0.0)
    with pytest.raises(BadValue, match="resamples"):
        violation_bound([], [], generator(), resamples=99)
