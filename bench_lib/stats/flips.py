"""Sign-flip permutation tests for paired samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]

RESAMPLES = 9999
CHUNK = 2**16
"""Sign patterns generated at a time."""


def sign_flip(contributions: ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES) -> float:
    """Two-sided p-value of the sign-flip test that contributions (n,), one for each pair, have symmetric signs.

    The share of sign patterns with an absolute sum at least as large as the observed one, over all 2^n patterns if
    these are no more than `resamples` + 1, otherwise over random ones and the observed. 1 if all contributions are 0,
    or without any. Source: Fisher 1935, section 21.
    """
    values = checked_scores(contributions)
    require(resamples >= 99, "number of resamples", resamples, "99 or more")
    sizes = np.abs(values[values != 0])
    if sizes.size == 0:
        return 1.0
    sizes = sizes / sizes.max()
    # Scores lie on a lattice: sums that are equal but for rounding count as equal.
    observed = abs(float(sizes @ np.sign(values[values != 0]))) - 1e-9 * sizes.sum()
    if sizes.size < 62 and 2**sizes.size <= resamples + 1:
        return float(np.mean(np.abs(all_signs(sizes.size) @ sizes) >= observed))
    reached = sum(int((np.abs(signs @ sizes) >= observed).sum()) for signs in _random(sizes.size, generator, resamples))
    return (reached + 1) / (resamples + 1)


def all_signs(n: int) -> Floats:
    """All patterns of n signs: (2^n, n) of -1 and 1."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.asarray(2.0 * bits - 1, dtype=np.float64)


def _random(n: int, generator: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """Random patterns of n signs, in chunks of shape (at most `CHUNK`, n)."""
    for start in range(0, resamples, CHUNK):
        bits = generator.integers(0, 2, (min(CHUNK, resamples - start), n), dtype=np.int8)
        yield np.asarray(2.0 * bits - 1, dtype=np.float64)
