"""Measures of the spread and of the worst case of a cell's scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import BadValue, require

LARGEST = 1e100
"""Bound on a score's size: squares and cubes of sums below it stay finite."""


@dataclass(frozen=True)
class Spread:
    """The spread and the worst case of one cell, in the units of its scores; nan where undefined."""

    n: int
    mean: float
    mad: float
    sd: float
    iqr: float
    median_ad: float
    minimum: float
    percentile_5: float
    cvar: float


def spread(scores: ArrayLike) -> Spread:
    """All measures of this module for the scores (n,) of one cell."""
    values = checked_scores(scores)
    return Spread(
        n=values.size,
        mean=mean(values),
        mad=mad(values),
        sd=sd(values),
        iqr=iqr(values),
        median_ad=median_ad(values),
        minimum=minimum(values),
        percentile_5=percentile_5(values),
        cvar=cvar(values),
    )


def mean(scores: ArrayLike) -> float:
    """The mean of scores (n,); nan for none."""
    values = checked_scores(scores)
    if values.size == 0:
        return math.nan
    return float(values[0] + _offsets(values).mean())


def mad(scores: ArrayLike) -> float:
    """Mean absolute deviation from the mean, (1/n) sum |x_i - mean(x)|, of scores (n,).

    nan for none, 0 for one. Not the median absolute deviation, which is `median_ad`.
    """
    values = checked_scores(scores)
    if values.size == 0:
        return math.nan
    offsets = _offsets(values)
    return float(np.abs(offsets - offsets.mean()).mean())


def mad_over_tasks(means: ArrayLike) -> float:
    """`mad` over a technique's mean scores, one a task (tasks,): the classic measure of its stability."""
    return mad(means)


def sd(scores: ArrayLike) -> float:
    """Standard deviation of scores (n,) with n - 1 in the denominator; nan for fewer than two."""
    values = checked_scores(scores)
    return float(_offsets(values).std(ddof=1)) if values.size >= 2 else math.nan


def iqr(scores: ArrayLike) -> float:
    """Distance between the quartiles of scores (n,), interpolated linearly; nan for none, 0 for one."""
    values = checked_scores(scores)
    if values.size == 0:
        return math.nan
    lower, upper = np.quantile(_offsets(values), [0.25, 0.75])
    return float(upper - lower)


def median_ad(scores: ArrayLike) -> float:
    """Median absolute deviation from the median of scores (n,), not rescaled; nan for none, 0 for one."""
    values = checked_scores(scores)
    if values.size == 0:
        return math.nan
    return float(np.median(np.abs(values - np.median(values))))


def minimum(scores: ArrayLike) -> float:
    """The lowest of scores (n,); nan for none."""
    values = checked_scores(scores)
    return float(values.min()) if values.size else math.nan


def percentile_5(scores: ArrayLike) -> float:
    """The 5th percentile of scores (n,), interpolated linearly (type 7); nan for none."""
    values = checked_scores(scores)
    return float(np.quantile(values, 0.05)) if values.size else math.nan


def cvar(scores: ArrayLike, share: float = 0.1) -> float:
    """Mean of the worst (lowest) share of scores (n,); nan for none.

    With m = max(1, share * n): the floor(m) lowest scores count whole, the next one by the fraction m - floor(m), and
    their sum is divided by m. So 25 runs at 0.1 give (x_1 + x_2 + x_3 / 2) / 2.5, and 10 or fewer give the minimum.
    The share lies in (0, 1]. Source: Rockafellar and Uryasev 2002, the discrete case.
    """
    require(0 < share <= 1, "share of the worst runs", share, "above 0, at most 1")
    values = np.sort(checked_scores(scores))
    if values.size == 0:
        return math.nan
    runs = max(1.0, share * values.size)
    weights = np.clip(runs - np.arange(values.size), 0, 1)
    return float(values[0] + _offsets(values) @ weights / runs)


def checked_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """The scores as an array (n,) of finite floats, none beyond `LARGEST` in size; anything else raises `BadValue`."""
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue("scores", scores, "a sequence of finite numbers") from error
    require(values.ndim == 1, "shape of the scores", values.shape, "one dimension, a score for each run")
    for index in np.flatnonzero(~(np.abs(values) <= LARGEST))[:1]:
        allowed = f"finite numbers up to {LARGEST:g} in size; leave out runs that have no score"
        raise BadValue(f"scores[{index}]", float(values[index]), allowed)
    return values


def _offsets(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Differences from a score rather than the scores: rounding then cannot make equal scores seem spread.
    return values - float(values[0])
