"""Power and sample size of the test of spread, simulated from observed scores instead of a normal model."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from bench_lib.core.errors import require
from bench_lib.stats.paired import LATTICE, midranks
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]

RATIOS = tuple(round(1.1**k, 3) for k in range(1, 25))
"""Ratios of spreads to try, in steps of 10 %, up to 9.8."""

SEEDS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500)
"""Numbers of seeds to try."""

MIN_SCORES = 5
"""Smallest number of scores to simulate from."""

TRIALS = 1000

LOCATIONS = 2
"""The number of seeds that the unknown locations of two samples cost the test."""

MOST_SCORES = 100
"""Largest number of scores to simulate from; of more, as many quantiles are taken."""


def spread_power(
    scores: ArrayLike, seeds: int, ratio: float, level: float, generator: np.random.Generator, trials: int = TRIALS
) -> float:
    """Power of the test of spread at this number of seeds, for samples whose spreads have the given ratio.

    Both samples are drawn with replacement from the scores (n,), centred at their median; the second is scaled. The
    test is `paired.distance_rank_test` with two approximations: ranks among the distances of all scores instead of the
    drawn ones, and Student's distribution instead of sign flips. It is simulated for two seeds fewer, which is what the
    larger of its two p-values costs. nan for fewer than `MIN_SCORES` scores or without spread.
    """
    values = checked_scores(scores)
    require(seeds >= 3, "number of seeds", seeds, "3 or more")
    require(ratio > 0, "ratio of spreads", ratio, "above 0")
    require(0 < level < 1, "level", level, "between 0 and 1, both excluded")
    if values.size < MIN_SCORES or np.ptp(values) == 0:
        return math.nan
    if values.size > MOST_SCORES:
        values = np.quantile(values, (np.arange(MOST_SCORES) + 0.5) / MOST_SCORES)
    centred = (values - np.median(values)) / np.ptp(values)
    drawn = generator.integers(0, centred.size, (2, trials, max(seeds - LOCATIONS, 2)))
    return float(_detected(_mean_ranks(centred, ratio), drawn, level).mean())


def detectable_ratio(
    scores: ArrayLike, seeds: int, level: float, generator: np.random.Generator, power: float = 0.8
) -> float:
    """The smallest of `RATIOS` detected with the given power; inf if none, nan as in `spread_power`."""
    return _first_sufficient(RATIOS, lambda ratio: spread_power(scores, seeds, ratio, level, generator), power)


def seeds_needed(
    scores: ArrayLike, ratio: float, level: float, generator: np.random.Generator, power: float = 0.8
) -> float:
    """The smallest of `SEEDS` that detects the ratio with the given power; inf if none, nan as in `spread_power`."""
    return _first_sufficient(SEEDS, lambda seeds: spread_power(scores, int(seeds), ratio, level, generator), power)


def _first_sufficient(candidates: Sequence[float], power_of: Callable[[float], float], power: float) -> float:
    """The first candidate with enough power, by bisection, since power increases along the candidates."""
    require(0 < power < 1, "power", power, "between 0 and 1, both excluded")
    if math.isnan(power_of(candidates[0])):  # The smallest number of seeds is by far the fastest to try.
        return math.nan
    place = bisect.bisect_left(candidates, True, key=lambda value: power_of(value) >= power)
    return candidates[place] if place < len(candidates) else math.inf


def _mean_ranks(scores: Floats, ratio: float) -> Floats:
    """Mean centred rank, in (-1, 1), of a score's distances to a sample's: (sample of the score, sample, scores)."""
    both = np.concatenate([scores, ratio * scores])
    distances = np.abs(both[:, None] - both).ravel()
    ranks = 2 * midranks(distances, LATTICE * max(ratio, 1)) / distances.size - 1
    means = ranks.reshape(2, scores.size, 2, scores.size).mean(axis=3)
    return np.asarray(means.transpose(0, 2, 1), dtype=np.float64)


def _detected(means: Floats, drawn: NDArray[np.intp], level: float) -> NDArray[np.bool_]:
    """Whether the samples (2, trials, seeds) of each trial differ significantly in spread.

    The statistic is the difference of the mean ranks of the distances within the samples. Each is a U-statistic, taken
    by its projection: twice the mean over the scores, less the expectation.
    """
    seeds = drawn.shape[-1]
    inner = [means[k, k][drawn[k]].mean(axis=-1) - means[k, k].mean() / 2 for k in (0, 1)]
    contributions = means[0].sum(axis=0)[drawn[0]] - means[1].sum(axis=0)[drawn[1]]
    variance = (contributions**2).sum(axis=-1) / seeds
    squares = np.divide(
        seeds * (2 * (inner[0] - inner[1])) ** 2, variance, out=np.zeros(len(variance)), where=variance > 0
    )
    students = np.sqrt(squares * (seeds - 1) / np.maximum(seeds - squares, 1e-12))
    return np.asarray(2 * stdtr(seeds - 1, -students) <= level)
