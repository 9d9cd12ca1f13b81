"""Power and sample size of the test of spread, simulated from observed scores instead of a normal model."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from bench_lib.core.errors import require
from bench_lib.stats.paired import rank_products
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]

RATIOS = tuple(round(1.1**k, 3) for k in range(1, 25))
"""Ratios of spreads to try, in steps of 10 %, up to 9.8."""

SEEDS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500)
"""Numbers of seeds to try."""

MIN_SCORES = 5
"""Smallest number of scores to simulate from."""

TRIALS = 1000
CHUNK = 4_000_000
"""Largest number of entries in a table of pairs."""


def spread_power(
    scores: ArrayLike, seeds: int, ratio: float, level: float, generator: np.random.Generator, trials: int = TRIALS
) -> float:
    """Power of the test of spread at this number of seeds, for samples whose spreads have the given ratio.

    Both samples are drawn with replacement from the scores (n,), centred at their median; the second is scaled. The
    test is `paired.pitman_morgan`, with Student's approximation to its sign flips. nan for fewer than `MIN_SCORES`
    scores or without spread.
    """
    values = checked_scores(scores)
    require(seeds >= 3, "number of seeds", seeds, "3 or more")
    require(ratio > 0, "ratio of spreads", ratio, "above 0")
    require(0 < level < 1, "level", level, "between 0 and 1, both excluded")
    if values.size < MIN_SCORES or np.ptp(values) == 0:
        return math.nan
    centred = (values - np.median(values)) / np.ptp(values)
    drawn = centred[generator.integers(0, values.size, (trials, 2, seeds))]
    size = max(1, CHUNK // seeds**2)
    found = [_detected(drawn[i : i + size] * [[1], [ratio]], level) for i in range(0, trials, size)]
    return float(np.concatenate(found).mean())


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


def _detected(samples: Floats, level: float) -> NDArray[np.bool_]:
    """Whether the samples (trials, 2, seeds) of each trial differ significantly in spread."""
    products = rank_products(samples[:, 0], samples[:, 1])
    count = products.shape[-1]
    errors = products.std(axis=-1, ddof=1) / math.sqrt(count)
    distances = np.divide(np.abs(products.mean(axis=-1)), errors, out=np.zeros(len(errors)), where=errors > 0)
    return np.asarray(2 * stdtr(count - 1, -distances) <= level)
