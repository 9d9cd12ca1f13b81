"""Intervals by resampling seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bench_lib.errors import require
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]


def mean_interval(
    scores: ArrayLike, generator: np.random.Generator, confidence: float = 0.95, resamples: int = 9999
) -> tuple[float, float]:
    """Bootstrap interval (low, high) of the mean of scores (n,), bias-corrected and accelerated (BCa).

    (nan, nan) for fewer than two scores, (x, x) where all equal x. The generator alone decides the resamples, which
    take resamples x n numbers from it. Source: Efron 1987.
    """
    values = checked_scores(scores)
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1, both excluded")
    require(resamples >= 100, "number of resamples", resamples, "100 or more")
    if values.size < 2:
        return math.nan, math.nan
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, high
    # On the scale 0 to 1 neither the size of the scores nor their distance from zero costs precision.
    scaled = (values - low) / (high - low)
    means = scaled[generator.integers(0, values.size, (resamples, values.size))].mean(axis=1)
    ends = low + (high - low) * np.quantile(means, _levels(scaled, means, confidence))
    return min(float(ends[0]), high), min(float(ends[1]), high)


def _levels(scaled: Floats, means: Floats, confidence: float) -> Floats:
    """The two levels at which BCa reads the resampled means, for scores between 0 and 1."""
    bias = _bias(means, float(scaled.mean()))
    deviations = scaled - scaled.mean()
    acceleration = float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5))
    tail = float(ndtri((1 - confidence) / 2))
    shifted = bias + np.array([tail, -tail])
    # Beyond the formula's pole the level stays at the end it was tending to, rather than jumping to the other one.
    return np.asarray(ndtr(bias + shifted / np.maximum(1 - acceleration * shifted, 1e-12)), dtype=np.float64)


def _bias(means: Floats, estimate: float) -> float:
    """Normal quantile of the share of resampled means below the estimate, ties counted by half."""
    # Scores of classifiers lie on a lattice, so ties are common and rounding must not decide them.
    tied = np.abs(means - estimate) <= 1e-9
    share = float(np.mean(np.where(tied, 0.5, means < estimate)))
    # No resample on one side stands for fewer than half a resample: the quantile stays finite.
    half = 0.5 / means.size
    return float(ndtri(min(max(share, half), 1 - half)))
