"""Tests of technique against baseline: failure rates, and the spread of the converged runs."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, boschloo_exact, fisher_exact, levene

from bench_lib.core.errors import require
from bench_lib.stats.failure import checked_counts
from bench_lib.stats.spread import checked_scores, mad

MOST_SEARCHED = 200
"""Largest number of runs, both samples together, for Boschloo's test; beyond it Fisher's exact test is used."""


def boschloo(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    """Two-sided p-value of Boschloo's exact test for equal failure rates.

    1 if the rates cannot differ: a sample without runs, no failure at all, or only failures. Beyond `MOST_SEARCHED`
    runs, where the search over common rates takes seconds, the smaller one-sided p-value of Fisher's exact test is
    doubled instead. It is exact as well and never below Boschloo's; at the switch, p-values from 0.001 to 0.1 are 1.2
    to 1.8 times as large. Source: Boschloo 1970, Fisher 1935.
    """
    failures_a, n_a = checked_counts(failures_a, n_a)
    failures_b, n_b = checked_counts(failures_b, n_b)
    if n_a == 0 or n_b == 0 or failures_a + failures_b in (0, n_a + n_b):
        return 1.0
    return _exact(failures_a, n_a, failures_b, n_b)


@functools.lru_cache(maxsize=2**14)
def _exact(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    # A report repeats the same few counts, and one search takes milliseconds.
    table = np.array([[failures_a, failures_b], [n_a - failures_a, n_b - failures_b]])
    if n_a + n_b > MOST_SEARCHED:
        return min(1.0, 2 * min(float(fisher_exact(table, side).pvalue) for side in ("less", "greater")))
    return min(1.0, float(boschloo_exact(table).pvalue))


def equivalent_failure_rates(lone: ArrayLike, runs: ArrayLike, margin: float) -> NDArray[np.float64]:
    """P of two one-sided exact tests that failure rates differ by the margin or more: small where they differ less.

    `lone` (2, ...) are the numbers of failures on seeds where only the run of that sample failed, or all of its
    failures where no seeds are shared; `runs`, (2,) or (2, ...), are the sizes of the samples. Lone failures are at
    least as frequent as the rate is higher, whatever the correlation of the samples. The result has the shape (...),
    and is 1 where a sample has no runs.
    """
    counts, sizes = np.asarray(lone), np.asarray(runs)
    if sizes.ndim == 1:
        sizes = sizes.reshape(2, *[1] * (counts.ndim - 1))
    require(0 < margin < 1, "margin of failure rates", margin, "between 0 and 1, both excluded")
    possible = bool(np.all((counts >= 0) & (counts <= sizes)))
    most = " and ".join(map(str, np.asarray(runs).tolist()))
    require(possible, "lone failures", counts.tolist(), f"from 0 to the {most} runs")
    return np.asarray(np.where(sizes > 0, binom.cdf(counts, sizes, margin), 1.0).max(axis=0))


def brown_forsythe(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p-value of the Brown-Forsythe test for equal spread of scores (n_a,) and (n_b,).

    nan for fewer than two scores in a sample. If all distances from the median are equal within each sample, the
    denominator of the statistic is 0: p is then 1 if the samples agree (as without any spread), nan if a sample has
    only two scores, whose distances are always equal, and otherwise the limit 0. Source: Brown and Forsythe 1974.
    """
    first, second = checked_scores(a), checked_scores(b)
    if min(first.size, second.size) < 2:
        return math.nan
    distances = _distances(first), _distances(second)
    # Smaller differences between distances are rounding errors.
    noise = 16 * np.finfo(np.float64).eps * max(np.abs(first).max(), np.abs(second).max())
    if max(map(np.ptp, distances)) > noise:
        return float(levene(first, second, center="median").pvalue)
    if abs(distances[0][0] - distances[1][0]) <= noise:
        return 1.0
    return 0.0 if min(first.size, second.size) > 2 else math.nan


def mad_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """Ratio of mean absolute deviations, a over b: below 1 if a is more stable.

    nan for fewer than two scores in a sample, 1 without spread in both, inf without spread only in b.
    """
    first, second = checked_scores(a), checked_scores(b)
    if min(first.size, second.size) < 2:
        return math.nan
    numerator, denominator = mad(first), mad(second)
    if denominator == 0:
        return 1.0 if numerator == 0 else math.inf
    return numerator / denominator


def _distances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values - np.median(values))
