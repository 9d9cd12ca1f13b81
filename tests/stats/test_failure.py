from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from statsmodels.stats.proportion import proportion_confint

from bench_lib.core.errors import BadValue
from bench_lib.stats.failure import wilson


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.999))
def test_it_is_the_closed_form_and_holds_the_rate(counts: tuple[int, int], confidence: float) -> None:
    failures, n = counts
    low, high = wilson(failures, n, confidence)
    assert 0 <= low < high <= 1
    if n:
        rate, square = failures / n, float(ndtri(0.5 + confidence / 2)) ** 2
        centre = (rate + square / (2 * n)) / (1 + square / n)
        half = math.sqrt(square * (rate * (1 - rate) / n + square / (4 * n * n))) / (1 + square / n)
        assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-9)
        assert low - 1e-12 <= rate <= high + 1e-12


@pytest.mark.parametrize(("failures", "n"), [(0, 5), (5, 75), (3, 20), (20, 20), (1, 1)])
def test_it_agrees_with_statsmodels(failures: int, n: int) -> None:
    assert wilson(failures, n) == pytest.approx(proportion_confint(failures, n, method="wilson"), abs=1e-9)


def test_a_value_of_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263 gives .2553 to .3662, and 0 of 20 gives 0 to .1611.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_no_runs_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_ends_are_exact_where_all_or_none_failed() -> None:
    assert wilson(0, 30)[0] == 0.0
    assert wilson(30, 30)[1] == 1.0


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_failures_and_successes_mirror_each_other(counts: tuple[int, int]) -> None:
    failures, n = counts
    low, high = wilson(n - failures, n)
    assert wilson(failures, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_counts_may_come_from_an_array_and_leave_as_floats() -> None:
    failed = np.array([True, True] + [False] * 7)
    found = wilson(failed.sum(), failed.size)
    assert found == wilson(2, 9)
    assert [type(end) for end in found] == [float, float]


@pytest.mark.parametrize(("failures", "n"), [(-1, 5), (6, 5), (1, 0), (0, -1), (0.5, 2), (math.nan, 2), (1, math.nan)])
def test_counts_that_cannot_be_are_refused(failures: int, n: int) -> None:
    with pytest.raises(BadValue, match="number of"):
        wilson(failures, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(BadValue, match="confidence"):
        wilson(1, 5, confidence)
