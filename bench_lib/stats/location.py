"""Location of scores, and tests of whether one sample lies above the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.bootstrap import checked_samples, rounding
from bench_lib.stats.flips import sign_flip
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean of scores (n,): the mean without the floor(n / 4) lowest and as many highest; nan for none.

    Source: Agarwal et al. 2021.
    """
    values = checked_scores(scores)
    return float(iqm_rows(values)) if values.size else math.nan


def iqm_rows(scores: Floats) -> Floats:
    """`iqm` of each row of scores (..., n), as `bca_interval` takes it: (...), for n of 1 or more."""
    cut = scores.shape[-1] // 4
    middle = np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut]
    # Differences from a score rather than the scores: the mean of equal scores is then that score.
    lowest = middle[..., :1]
    return np.asarray(lowest[..., 0] + (middle - lowest).mean(axis=-1), dtype=np.float64)


@overload
def expected_maximum(scores: ArrayLike, k: int) -> float: ...
@overload
def expected_maximum(scores: ArrayLike, k: Sequence[int] | NDArray[np.integer]) -> Floats: ...
def expected_maximum(scores: ArrayLike, k: int | Sequence[int] | NDArray[np.integer]) -> float | Floats:
    """Expected best score of k runs, each drawn with replacement from the scores (n,); for an array of k, an array.

    The mean for k = 1, nowhere above the highest score, nan without scores. Source: Dodge et al. 2019.
    """
    values = checked_scores(scores)
    found = expected_maximum_rows(values, k) if values.size else np.full(np.shape(k), math.nan)
    return float(found) if found.ndim == 0 else found


def expected_maximum_rows(scores: Floats, k: int | Sequence[int] | NDArray[np.integer]) -> Floats:
    """`expected_maximum` of each row of scores (..., n), for n of 1 or more: (..., *shape of k)."""
    runs = np.asarray(k)
    whole = np.issubdtype(runs.dtype, np.integer) and bool((runs >= 1).all())
    require(whole, "number of runs to pick the best from", k, "whole numbers, 1 or more")
    ordered = np.sort(scores, axis=-1)
    highest = ordered[..., -1:]
    # The i-th lowest of n is the best of k draws with chance (i / n)^k - ((i - 1) / n)^k.
    chances = np.diff((np.arange(scores.shape[-1] + 1) / scores.shape[-1]) ** runs[..., None], axis=-1)
    below = np.tensordot(ordered - highest, chances, axes=(-1, -1))
    return np.asarray(highest.reshape(highest.shape[:-1] + (1,) * runs.ndim) + below, dtype=np.float64)


def paired_permutation(a: ArrayLike, b: ArrayLike, generator: np.random.Generator, resamples: int = 9999) -> float:
    """Two-sided p-value of a permutation test that scores a and b (n,), on the same seeds, have the same location.

    Pairs are swapped as in `sign_flip`: exact for few pairs. Differences by rounding alone count as 0. 1 for
    no pair, a single pair, or without any difference.
    """
    first, second = checked_samples(a, b, paired=True)
    differences = first - second
    return sign_flip(np.where(np.abs(differences) > rounding(first, second), differences, 0), generator, resamples)
