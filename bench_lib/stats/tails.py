"""The far tail of the sign-flip test, which random sign patterns cannot reach."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FINEST = 2**16
"""Maximum number of steps for the sum of all contributions."""

NOISE = 1e-9
"""The share of the largest contribution below which a difference is rounding."""

SCALED = 512
"""Steps after which numbers of subsets are scaled: they double with each, and a float holds 2 to the power of 1023."""


def sign_tail(contributions: ArrayLike) -> float:
    """Two-sided p-value of the sign-flip test of contributions (n,), one for each pair, without random patterns.

    `flips.sign_flip` estimates the same value, which can be far below one over its number of resamples. The sign
    patterns with each sum are counted by adding one contribution after the other. This is exact for sizes that are
    multiples of a common step, such as ranks. Other sizes are rounded to steps, and sums within the rounding error of
    the observed one count as reaching it, so that p is too large by a few percent for hundreds of pairs. 1 where every
    contribution is 0 or none is given. Source: Pagano and Tritchler 1983, with counts in place of their Fourier
    transform.
    """
    values = checked_scores(contributions)
    values = values[values != 0]
    if values.size == 0:
        return 1.0
    steps, reach = _steps(np.abs(values) / np.abs(values).max())
    # The sum of a pattern is the total less twice its negative part. Patterns at least as extreme as the observed one
    # have a negative part up to the smaller of the observed parts, or mirror such a pattern.
    return min(1.0, 2 * _share(steps, min(steps[values < 0].sum(), steps[values > 0].sum()) + reach))


def _steps(sizes: Floats) -> tuple[Counts, int]:
    """Sizes (n,) of at most 1 as whole numbers of steps, and the largest difference of equal sums by rounding."""
    gaps = np.diff(np.sort(sizes), prepend=0)
    counts = sizes / gaps[gaps > NOISE].min()
    whole = np.rint(counts)
    if np.abs(counts - whole).max() < 1e-4 and whole.sum() <= FINEST:
        return whole.astype(np.int64), 0
    # Half a step for each is the most; of many, whose errors are independent, six standard deviations of their sum.
    reach = min(sizes.size / 2, 6 * math.sqrt(sizes.size / 12))
    return np.rint(sizes * (FINEST / sizes.sum())).astype(np.int64), math.ceil(reach)


def _share(steps: Counts, most: int) -> float:
    """The share of the subsets of the steps (n,) with a sum of at most `most`."""
    # Numbers of subsets, of which a power of 2 is taken at times: to the bit the same as halving shares at every step,
    # and with less to write. Between two arrays, since adding an array to a part of itself copies it first.
    counts, others = np.zeros(most + 1), np.zeros(most + 1)
    counts[0] = 1
    reached = 0
    for number, step in enumerate(np.sort(steps).tolist(), 1):
        reached = min(reached + step, most)
        others[:step] = counts[:step]
        np.add(counts[step : reached + 1], counts[: max(reached + 1 - step, 0)], out=others[step : reached + 1])
        counts, others = others, counts
        if number % SCALED == 0:
            counts *= 2.0**-SCALED
    return float(counts.sum() * 2.0 ** -(steps.size % SCALED))
