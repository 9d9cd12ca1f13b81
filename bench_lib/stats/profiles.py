"""Performance profiles over several tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.bootstrap import CHUNK, check_plan, rounding
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]
Groups = Sequence[ArrayLike] | NDArray[np.float64]
"""The scores of each task (seeds,); the numbers of seeds may differ."""


@dataclass(frozen=True, eq=False)
class ScoreProfile:
    """Share of runs above each threshold (thresholds,), with its band from low to high."""

    thresholds: Floats
    share: Floats
    low: Floats
    high: Floats


def score_profile(
    scores: Groups,
    thresholds: ArrayLike,
    generator: np.random.Generator,
    failures: Sequence[int] = (),
    confidence: float = 0.95,
    resamples: int = 9999,
) -> ScoreProfile:
    """Share of the runs that score above each threshold, as the mean over the tasks of each task's share.

    Scores are (tasks, runs), or a row of its own length for each task; failures counts for each task the runs that
    have no score, which lie above no threshold and belong to the runs that are resampled. A score that differs from a
    threshold by rounding alone is not above it. The band is a percentile bootstrap of the runs within each task, which
    holds for each threshold and not for all at once, and takes resamples x thresholds numbers of memory. The share is
    nan without tasks, or where a task has no run; the band also where a task has fewer than two. Source: Agarwal et
    al. 2021.
    """
    levels = checked_scores(thresholds)
    check_plan(confidence, resamples)
    above = _above(scores, levels, failures)
    share, unknown = _share(above, levels.size), np.full(levels.size, math.nan)
    if min((len(runs) for runs in above), default=0) < 2:
        return ScoreProfile(levels, share, unknown, unknown)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(_resampled_shares(above, generator, resamples), ends, axis=0, overwrite_input=True)
    return ScoreProfile(levels, share, low, high)


def profile_share(scores: Groups, thresholds: ArrayLike, failures: Sequence[int] = ()) -> Floats:
    """The share of `score_profile` alone, without its band: (thresholds,)."""
    levels = checked_scores(thresholds)
    return _share(_above(scores, levels, failures), levels.size)


def _above(scores: Groups, levels: Floats, failures: Sequence[int]) -> list[Floats]:
    """Which runs of each task are above each threshold, the failed ones above none: (runs, thresholds) of 0 and 1."""
    tasks = [checked_scores(group) for group in scores]
    return [
        np.vstack([group[:, None] - levels > rounding(group, levels), np.zeros((failed, levels.size))])
        for group, failed in zip(tasks, _checked_failures(failures, len(tasks)), strict=True)
    ]


def _share(above: Sequence[Floats], thresholds: int) -> Floats:
    if not min((len(runs) for runs in above), default=0):
        return np.full(thresholds, math.nan)
    return np.asarray(np.mean([runs.mean(axis=0) for runs in above], axis=0), dtype=np.float64)


def _resampled_shares(above: Sequence[Floats], generator: np.random.Generator, resamples: int) -> Floats:
    """The mean over the tasks of the shares of resampled runs: (resamples, thresholds), from tasks (runs, thresholds).

    How often each run is drawn is multinomial.
    """
    found = np.zeros((resamples, above[0].shape[1]))
    for runs in above:
        n = len(runs)
        rows = max(1, CHUNK // n)
        for start in range(0, resamples, rows):
            times = generator.multinomial(n, np.full(n, 1 / n), min(rows, resamples - start))
            found[start : start + rows] += times @ runs / n
    found /= len(above)
    return found


def _checked_failures(failures: Sequence[int], tasks: int) -> Sequence[int]:
    """The failures of each task; 0 for all where none are given."""
    counts = list(failures) or [0] * tasks
    require(len(counts) == tasks, "number of tasks with failures", len(counts), f"{tasks}, as of the scores, or none")
    for count in counts:
        whole = isinstance(count, Integral) and count >= 0
        require(whole, "number of failures", count, "a whole number, 0 or more")
    return counts
