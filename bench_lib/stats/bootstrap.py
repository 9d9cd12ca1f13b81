"""Bootstrap intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bench_lib.core.errors import require
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""A number for each row of scores: (..., n) -> (...)."""

CHUNK = 2**18
"""Scores drawn at a time: few enough for the cache of a core, enough to amortise the call."""
CHUNK_OF_ONE = 2**16
"""The same where one sample is drawn: of several, those of a chunk come in turn, so that its size decides which."""
BETWEEN = "between 0 and 1, both excluded"
FINITE = "a finite number for any resample, and with any one score left out"


def mean_interval(
    scores: ArrayLike, generator: np.random.Generator, confidence: float = 0.95, resamples: int = 9999
) -> tuple[float, float]:
    """Bootstrap interval (low, high) of the mean of scores (n,), bias-corrected and accelerated (BCa).

    (nan, nan) for fewer than two scores, (x, x) where all equal x. The generator alone decides the resamples, which
    take resamples x n numbers from it. Source: Efron 1987.
    """
    check_plan(confidence, resamples)

    def ends(scaled: Floats) -> Floats:
        means = resampled(lambda rows: rows.mean(axis=-1), [scaled], generator, resamples)
        bias = _bias(means, float(scaled.mean()), 1e-9)
        return np.quantile(means, _levels(bias, _skew(scaled - scaled.mean()), confidence))

    return _of_scaled(scores, ends)


def analytic_mean_interval(scores: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """The interval (low, high) of `mean_interval` for many scores (n,), by its formula and not by resamples.

    Of a hundred or more its ends lie within 0.03 standard errors of those of endless resamples (the ends of 9,999 lie
    within 0.02 to 0.06), and within 0.2 where one or two scores make up the spread. Equal and too few scores as there.
    Source: DiCiccio and Efron 1992 (ABC), for a mean, whose bias and curvature are 0.
    """
    require(0 < confidence < 1, "confidence", confidence, BETWEEN)

    def ends(scaled: Floats) -> Floats:
        deviations = scaled - scaled.mean()
        acceleration, error = _skew(deviations), math.sqrt(float((deviations**2).sum())) / scaled.size
        tail = float(ndtri((1 - confidence) / 2))
        shifted = acceleration + np.array([tail, -tail])
        return np.asarray(scaled.mean() + error * shifted / _before_pole(acceleration, shifted) ** 2, dtype=np.float64)

    return _of_scaled(scores, ends)


def _of_scaled(scores: ArrayLike, ends: Callable[[Floats], Floats]) -> tuple[float, float]:
    """The ends of an interval of the mean, found on the scale 0 to 1.

    There neither the size of the scores nor their distance from zero costs precision.
    """
    values = checked_scores(scores)
    if values.size < 2:
        return math.nan, math.nan
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, high
    found = low + (high - low) * np.clip(ends((values - low) / (high - low)), 0, 1)
    return min(float(found[0]), high), min(float(found[1]), high)


def bca_interval(
    statistic: Statistic,
    scores: ArrayLike,
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
) -> tuple[float, float]:
    """Bootstrap interval (low, high) of a statistic of scores (n,), bias-corrected and accelerated (BCa).

    (nan, nan) for fewer than two scores, (t, t) where every resample gives t. A statistic that does not move when a
    score is left out, or has two scores only, is taken for unskewed: acceleration 0. It must be finite on n and on
    n - 1 scores, equal ones included; else `BadValue`. Resamples as in `mean_interval`. Source: Efron 1987, the
    acceleration from the jackknife.
    """
    values = checked_scores(scores)
    check_plan(confidence, resamples)
    if values.size < 2:
        return math.nan, math.nan
    found = resampled(statistic, [values], generator, resamples)
    estimate = _applied(statistic, [values[None]])
    require(bool(np.isfinite(found).all() and np.isfinite(estimate).all()), "statistic", math.inf, FINITE)
    # Statistics of scores on a lattice tie often, and rounding must not decide ties.
    noise = 1e-9 * float(np.ptp(found)) + rounding(found)
    bias = _bias(found, float(estimate[0]), noise)
    low, high = np.quantile(found, _levels(bias, _jackknife_skew(statistic, values, noise), confidence))
    return float(low), float(high)


def resampled(
    statistic: Callable[..., Floats], samples: Sequence[Floats], generator: np.random.Generator, resamples: int
) -> Floats:
    """The statistic of each resample, the samples resampled independently: (resamples,)."""
    chunks = draws([sample.size for sample in samples], generator, resamples)
    return np.concatenate(
        [_applied(statistic, [s[rows] for s, rows in zip(samples, drawn, strict=True)]) for drawn in chunks]
    )


def draws(sizes: Sequence[int], generator: np.random.Generator, resamples: int) -> Iterator[list[NDArray[np.int64]]]:
    """Runs drawn with replacement, in chunks: for each size an array (rows, size) of indices below it.

    The rows of all chunks are as many as the resamples.
    """
    rows = max(1, (CHUNK if len(sizes) > 1 else CHUNK_OF_ONE) // max(1, sum(sizes)))
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        yield [generator.integers(0, size, (count, size)) for size in sizes]


def checked_samples(a: ArrayLike, b: ArrayLike, paired: bool) -> tuple[Floats, Floats]:
    """Both samples as arrays; paired samples of different size raise `BadValue`."""
    first, second = checked_scores(a), checked_scores(b)
    if paired:
        require(first.size == second.size, "number of scores to pair", second.size, f"{first.size}, as in the first")
    return first, second


def check_plan(confidence: float, resamples: int) -> None:
    """Raise `BadValue` unless the confidence lies between 0 and 1 and the resamples are 100 or more."""
    require(0 < confidence < 1, "confidence", confidence, BETWEEN)
    require(resamples >= 100, "number of resamples", resamples, "100 or more")


def rounding(*values: Floats) -> float:
    """Bound on the rounding error of a difference between any of these numbers."""
    return 16 * float(np.finfo(np.float64).eps) * max(float(np.abs(one).max(initial=0)) for one in values)


def _applied(statistic: Callable[..., Floats], rows: Sequence[Floats]) -> Floats:
    found = np.asarray(statistic(*rows), dtype=np.float64)
    expected = rows[0].shape[:-1]
    require(found.shape == expected, "shape of the statistic", found.shape, f"{expected}, a number for each row")
    require(not np.isnan(found).any(), "statistic", math.nan, "never nan, not even for equal scores")
    return found


def _levels(bias: float, acceleration: float, confidence: float) -> Floats:
    """The two levels at which BCa reads the resampled statistics."""
    tail = float(ndtri((1 - confidence) / 2))
    shifted = bias + np.array([tail, -tail])
    return np.asarray(ndtr(bias + shifted / _before_pole(acceleration, shifted)), dtype=np.float64)


def _before_pole(acceleration: float, shifted: Floats) -> Floats:
    """The divisor of the formulas: beyond its zero an end stays where it was tending to, and jumps to no other side."""
    return np.maximum(1 - acceleration * shifted, 1e-12)


def _bias(found: Floats, estimate: float, noise: float) -> float:
    """Normal quantile of the share of resampled statistics below the estimate, ties counted by half."""
    # Scores of classifiers lie on a lattice, so ties are common and rounding must not decide them.
    tied = np.abs(found - estimate) <= noise
    share = float(np.mean(np.where(tied, 0.5, found < estimate)))
    # At least half a resample is counted on either side, so that the quantile is finite.
    half = 0.5 / found.size
    return float(ndtri(min(max(share, half), 1 - half)))


def _jackknife_skew(statistic: Statistic, values: Floats, noise: float) -> float:
    """The acceleration of a statistic, from the contributions of the scores (n,)."""
    if values.size == 2:
        # The contributions of two scores are equal and opposite, and the statistic may need two scores.
        return 0.0
    runs = np.arange(values.size - 1)
    without = _applied(statistic, [values[runs + (runs >= np.arange(values.size)[:, None])]])
    require(bool(np.isfinite(without).all()), "statistic", math.inf, FINITE)
    added = without.mean() - without
    largest = float(np.abs(added).max())
    return _skew(added / largest) if largest > noise else 0.0


def _skew(deviations: Floats) -> float:
    return float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5))
