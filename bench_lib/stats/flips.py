"""Sign-flip permutation tests for paired samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]

RESAMPLES = 9999
CHUNK = 2**14
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
    reached = sum(int((np.abs(sums) >= observed).sum()) for sums in _random_sums(sizes, generator, resamples))
    return (reached + 1) / (resamples + 1)


def all_signs(n: int) -> Floats:
    """All patterns of n signs: (2^n, n) of -1 and 1."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.asarray(2.0 * bits - 1, dtype=np.float64)


def _random_sums(sizes: Floats, generator: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """The sums of the sizes (n,) with random signs, in chunks of at most `CHUNK`.

    A random byte has the signs of eight sizes, whose sum is looked up among all 256.
    """
    eights = np.pad(sizes, (0, -sizes.size % 8)).reshape(-1, 8)
    tables = eights @ all_signs(8).T
    for start in range(0, resamples, CHUNK):
        count = min(CHUNK, resamples - start)
        drawn = np.frombuffer(generator.bytes(len(eights) * count), dtype=np.uint8).reshape(len(eights), count)
        yield np.asarray(sum(table[signs] for table, signs in zip(tables, drawn, strict=True)), dtype=np.float64)
