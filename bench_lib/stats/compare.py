"""A technique against a baseline: failure rates first, then the spread among the runs that did not fail."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import boschloo_exact, fisher_exact, levene

from bench_lib.core.errors import require
from bench_lib.stats.failure import checked_counts
from bench_lib.stats.flips import RESAMPLES
from bench_lib.stats.spread import checked_scores, mad

ROUNDING = 1e-12
CHUNK = 4_000_000
"""Scores that are dealt out at a time."""

MOST_SEARCHED = 200
"""Runs in both arms up to which failures are compared by Boschloo's test, which searches all common rates."""


def boschloo(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    """Two-sided p of Boschloo's exact test that both arms fail equally often.

    1 where the counts cannot differ: an arm without runs, no failure in either arm, or nothing but failures in both.
    With more than `MOST_SEARCHED` runs in both arms together, of which it would take up to seconds, it is Fisher's
    exact test with the smaller of its one-sided p doubled, which is exact as well and never below Boschloo's: where the
    one takes over, p from 0.001 to 0.1 are 1.2 to 1.8 times as large. Source: Boschloo 1970, Fisher 1935.
    """
    failures_a, n_a = checked_counts(failures_a, n_a)
    failures_b, n_b = checked_counts(failures_b, n_b)
    if n_a == 0 or n_b == 0 or failures_a + failures_b in (0, n_a + n_b):
        return 1.0
    return _exact(failures_a, n_a, failures_b, n_b)


@functools.lru_cache(maxsize=2**14)
def _exact(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    # The same few counts come again and again in a report, and one search takes milliseconds.
    table = np.array([[failures_a, failures_b], [n_a - failures_a, n_b - failures_b]])
    if n_a + n_b > MOST_SEARCHED:
        return min(1.0, 2 * min(float(fisher_exact(table, side).pvalue) for side in ("less", "greater")))
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


def mad_permutation(a: ArrayLike, b: ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES) -> float:
    """Two-sided p that scores (n_a,) and (n_b,) of independent runs are equally spread, by dealing them out anew.

    Both arms are moved to a common median and mixed; the p-value is the share of the deals whose logarithm of the MAD
    ratio is as far from 0 as the observed one, itself among them. nan for fewer than two scores in an arm, 1 with no
    spread in either. Moving the arms is an estimate: with ten scores an arm the level is kept to within a hundredth.
    """
    first, second = checked_scores(a), checked_scores(b)
    require(resamples >= 99, "number of resamples", resamples, "99 or more")
    if min(first.size, second.size) < 2:
        return math.nan
    mixed = np.concatenate([first - np.median(first), second - np.median(second)])
    scale = float(np.abs(mixed).max())
    if scale <= ROUNDING * max(np.abs(first).max(), np.abs(second).max()):
        return 1.0
    observed = float(_distance_apart(mixed[None] / scale, first.size)[0]) - ROUNDING
    size = max(1, CHUNK // mixed.size)
    reached = 0
    for start in range(0, resamples, size):
        rows = np.broadcast_to(mixed / scale, (min(size, resamples - start), mixed.size))
        reached += int((_distance_apart(generator.permuted(rows, axis=1), first.size) >= observed).sum())
    return (reached + 1) / (resamples + 1)


def _distance_apart(rows: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """How far apart the MADs of the first n and of the other scores of each row (..., scores) are, as |log ratio|."""
    arms = (rows[:, :n], rows[:, n:])
    mads = [np.abs(arm - arm.mean(axis=1, keepdims=True)).mean(axis=1) for arm in arms]
    # Without spread an arm is as far from the other as rounding lets it be.
    logs = [np.log(np.maximum(mad, ROUNDING)) for mad in mads]
    return np.asarray(np.abs(logs[0] - logs[1]))


def _distances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values - np.median(values))
