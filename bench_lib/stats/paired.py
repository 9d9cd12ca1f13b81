"""Test for equal spread of paired samples."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.flips import RESAMPLES, sign_flip
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]

LATTICE = 1e-9
"""Differences below this share of the largest score are rounding errors and count as ties."""

FEWEST = 3
"""Smallest number of seeds that converged for both for a test of spread."""

PLACE = 14
"""Bits of the place of a score: beside two of them 35 are left for a distance in steps, of which 2**32 can occur."""
LAST = 2**PLACE - 1
"""The highest place."""


def distance_rank_test(a: ArrayLike, b: ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES) -> float:
    """Two-sided p-value of a rank test for equal spread of scores a and b (seeds,) on the same seeds.

    nan is a failed run, whose seed still counts if the other run converged. The result is nan for fewer than `FEWEST`
    seeds that converged for both, 1 without spread.

    The distances between scores of different seeds are ranked, whether in one sample or across both. The sample whose
    inner distances have the higher ranks is wider. The null distribution comes from swapping a and b within seeds. Of
    two p-values the larger is returned: that of the scores as they are, which is exact if a and b have the same
    distribution, and that of the scores moved to a common location, which is asymptotically right if only their
    spreads are equal. Source: distances within samples compared after Lehmann 1951, the common location after Hodges
    and Lehmann 1963.
    """
    samples = spread_contributions(a, b)
    return max((sign_flip(sample, generator, resamples) for sample in samples), default=math.nan)


def spread_contributions(a: ArrayLike, b: ArrayLike) -> list[Floats]:
    """Contributions of the seeds (seeds,) for the two sign-flip tests of `distance_rank_test`; none for too few seeds.

    The first are of the scores as they are, the second of the scores moved to a common location.
    """
    first, second = _checked(a), _checked(b)
    require(first.size == second.size, "number of scores to pair", second.size, f"{first.size}, as in the first")
    if (~np.isnan(first) & ~np.isnan(second)).sum() < FEWEST:
        return []
    shift = np.median(first[~np.isnan(first), None] - second[~np.isnan(second)])
    noise = LATTICE * float(np.nanmax(np.abs([first, second])))
    return [distance_ranks(first, second, noise), distance_ranks(first - shift, second, noise)]


def distance_ranks(a: Floats, b: Floats, noise: float) -> Floats:
    """How much farther the first score of each seed is from the scores of other seeds than the second: (seeds,).

    A score's distance is the sum of its centred distance ranks, 0 if the run failed. Distances in the same step of the
    noise or in neighbouring ones tie. The contributions add up to the difference between the samples' rank sums of
    inner distances, and swapping a and b on one seed flips the sign of its contribution and leaves the others alone.
    """
    scores, seeds = np.concatenate([a, b]), a.size
    left, right, places = _pairs_of_scores(seeds)
    distances = np.abs(scores[left] - scores[right])
    usable = ~np.isnan(distances)
    # A distance in steps of the noise and its two places in one number, so that plain numbers are sorted in place of
    # an order of distances, which takes several times as long.
    steps = (distances[usable] / (noise or 1)).astype(np.int64)
    ordered = np.sort(steps << 2 * PLACE | places[usable])
    ranks = _ranks_in_order(ordered >> 2 * PLACE, 1) - (ordered.size + 1) / 2
    sums = np.bincount(ordered >> PLACE & LAST, ranks, 2 * seeds) + np.bincount(ordered & LAST, ranks, 2 * seeds)
    return np.asarray(sums[:seeds] - sums[seeds:], dtype=np.float64)


@functools.lru_cache(maxsize=2)
def _pairs_of_scores(seeds: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The places of two scores of different seeds, in both samples one after the other, each and in one number.

    Kept for contrasts alike.
    """
    require(2 * seeds <= LAST, "number of seeds", seeds, f"at most {LAST // 2}")
    one, other = np.triu_indices(seeds, 1)
    left = np.concatenate([one, one, one + seeds, one + seeds])
    right = np.concatenate([other, other + seeds, other, other + seeds])
    pairs = (left, right, left << PLACE | right)
    for places in pairs:
        places.flags.writeable = False
    return pairs


def midranks(values: Floats, noise: float) -> Floats:
    """Ranks of values (n,) from 1; values that differ by no more than the noise from the next share their mean rank."""
    # In whatever order equal values come, they share their rank: a stable sort would take several times as long.
    order = np.argsort(values)
    ranks = np.empty(values.size)
    ranks[order] = _ranks_in_order(values[order], noise)
    return ranks


def _ranks_in_order(values: NDArray[np.number], noise: float) -> Floats:
    """The ranks of `midranks`, of values (n,) from the lowest to the highest."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values) > noise) + 1])
    sizes = np.diff(starts, append=values.size)
    return np.repeat(starts + (sizes + 1) / 2, sizes)


def _checked(scores: ArrayLike) -> Floats:
    """The scores as an array (seeds,); anything but finite numbers and nan raises `BadValue`."""
    values = np.asarray(scores, dtype=np.float64)
    checked_scores(np.where(np.isnan(values), 0, values))
    return values
