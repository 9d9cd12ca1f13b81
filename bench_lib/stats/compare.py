"""A technique against a baseline: failure rates first, then the spread among the runs that did not fail."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import boschloo_exact, levene

from bench_lib.stats.failure import checked_counts
from bench_lib.stats.spread import checked_scores, mad


def boschloo(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    """Two-sided p of Boschloo's exact test that both arms fail equally often.

    1 where the counts cannot differ: an arm without runs, no failure in either arm, or nothing but failures in both.
    Takes milliseconds for tens of runs and seconds for a thousand. Source: Boschloo 1970.
    """
    failures_a, n_a = checked_counts(failures_a, n_a)
    failures_b, n_b = checked_counts(failures_b, n_b)
    if n_a == 0 or n_b == 0 or failures_a + failures_b in (0, n_a + n_b):
        return 1.0
    table = [[failures_a, failures_b], [n_a - failures_a, n_b - failures_b]]
    return min(1.0, float(boschloo_exact(table).pvalue))


def brown_forsythe(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of the Brown-Forsythe test that scores (n_a,) and (n_b,) are equally spread.

    nan where it cannot be tested: fewer than two scores in an arm. Where the distances from the median are all equal
    within each arm, the test's statistic has no noise to set the difference against: p is 1 if the arms agree (as with
    no spread in either), else the limit 0, but nan if an arm has two scores, whose distances are equal by nature.
    Source: Brown and Forsythe 1974.
    """
    first, second = checked_scores(a), checked_scores(b)
    if min(first.size, second.size) < 2:
        return math.nan
    away, beyond = _distances(first), _distances(second)
    # What rounding can do to a distance; less than that is no difference.
    noise = 16 * np.finfo(np.float64).eps * max(np.abs(first).max(), np.abs(second).max())
    if max(np.ptp(away), np.ptp(beyond)) > noise:
        return float(levene(first, second, center="median").pvalue)
    if abs(away[0] - beyond[0]) <= noise:
        return 1.0
    return 0.0 if min(first.size, second.size) > 2 else math.nan


def mad_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """Mean absolute deviation of a over that of b: below 1 where a is the more stable.

    nan for fewer than two scores in an arm, 1 with no spread in either, inf with none in b alone.
    """
    first, second = checked_scores(a), checked_scores(b)
    if min(first.size, second.size) < 2:
        return math.nan
    above, below = mad(first), mad(second)
    if below == 0:
        return 1.0 if above == 0 else math.inf
    return above / below


def _distances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values - np.median(values))
