"""How many seeds it takes: by simulation from the scores that were seen, not from a formula for normal ones."""

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
"""Ratios of spreads that are tried, each a tenth above the one before, up to 9.8."""

SEEDS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500)
"""Numbers of seeds that are tried."""

FEWEST = 5
"""Scores below which there is nothing to simulate from."""

TRIALS = 1000
CHUNK = 4_000_000
"""Numbers that a table of pairs may hold at a time."""


def spread_power(
    scores: ArrayLike, seeds: int, ratio: float, level: float, generator: np.random.Generator, trials: int = TRIALS
) -> float:
    """The share of trials in which two arms of so many seeds are told apart, one spread `ratio` times the other.

    Both arms are drawn with replacement from the scores (n,), moved to their median; the second is stretched. The test
    is that of `paired.pitman_morgan`, in Student's approximation to its sign flips. nan for fewer than `FEWEST` scores
    and for scores without spread.
    """
    values = checked_scores(scores)
    require(seeds >= 3, "number of seeds", seeds, "3 or more")
    require(ratio > 0, "ratio of spreads", ratio, "above 0")
    require(0 < level < 1, "level", level, "between 0 and 1, both excluded")
    if values.size < FEWEST or np.ptp(values) == 0:
        return math.nan
    centred = (values - np.median(values)) / np.ptp(values)
    drawn = centred[generator.integers(0, values.size, (trials, 2, seeds))]
    size = max(1, CHUNK // seeds**2)
    found = [_told_apart(drawn[i : i + size] * [[1], [ratio]], level) for i in range(0, trials, size)]
    return float(np.concatenate(found).mean())


def detectable_ratio(
    scores: ArrayLike, seeds: int, level: float, generator: np.random.Generator, power: float = 0.8
) -> float:
    """The smallest of `RATIOS` that so many seeds find with the power; inf if none, nan as in `spread_power`."""
    return _first(RATIOS, lambda ratio: spread_power(scores, seeds, ratio, level, generator), power)


def seeds_needed(
    scores: ArrayLike, ratio: float, level: float, generator: np.random.Generator, power: float = 0.8
) -> float:
    """The smallest of `SEEDS` that finds the ratio with the power; inf if none, nan as in `spread_power`."""
    return _first(SEEDS, lambda seeds: spread_power(scores, int(seeds), ratio, level, generator), power)


def _first(tried: Sequence[float], power_of: Callable[[float], float], power: float) -> float:
    """The first of rising values whose power is enough, found by halving, since power rises with them."""
    require(0 < power < 1, "power", power, "between 0 and 1, both excluded")
    if math.isnan(power_of(tried[0])):  # The first of the numbers of seeds takes least time by far.
        return math.nan
    place = bisect.bisect_left(tried, True, key=lambda value: power_of(value) >= power)
    return tried[place] if place < len(tried) else math.inf


def _told_apart(arms: Floats, level: float) -> NDArray[np.bool_]:
    """Whether each trial's arms (trials, 2, seeds) differ in spread at the level."""
    products = rank_products(arms[:, 0], arms[:, 1])
    count = products.shape[-1]
    errors = products.std(axis=-1, ddof=1) / math.sqrt(count)
    distances = np.divide(np.abs(products.mean(axis=-1)), errors, out=np.zeros(len(errors)), where=errors > 0)
    return np.asarray(2 * stdtr(count - 1, -distances) <= level)
