"""Techniques over several tasks: performance profiles, and intervals that resample the seeds within each task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import BadValue, require
from bench_lib.stats.bootstrap import CHUNK, check_plan, percentile_interval, resampled, rounding
from bench_lib.stats.location import iqm_rows
from bench_lib.stats.spread import LARGEST, checked_scores

Floats = NDArray[np.float64]
Groups = Sequence[ArrayLike] | NDArray[np.float64]
"""The scores of each task (seeds,): as many seeds for each or not."""
Aggregate = Callable[[Sequence[Floats]], Floats]
"""A number for each set of rows, one row a task: [(..., n_1), (..., n_2), ...] -> (...)."""


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


def ratio_profile(costs: ArrayLike, taus: ArrayLike, floor: float = 0.0) -> Floats:
    """Share of the tasks on which a technique costs at most tau times what the cheapest does: (techniques, taus).

    Costs are (tasks, techniques), 0 or more, such as the MAD; inf where a technique failed, which no tau reaches. Where
    the cheapest costs 0, only techniques that cost 0 too are within reach of it, at every tau; a floor above 0, such as
    the step between two possible scores, counts smaller costs as itself. Each tau is 1 or more. nan without tasks.
    Source: Dolan and More 2002.
    """
    table, factors = _checked_costs(costs), checked_scores(taus)
    for tau in factors[factors < 1][:1]:
        raise BadValue("tau", float(tau), "1 or more, what the cheapest itself has")
    require(0 <= floor <= LARGEST, "floor of the costs", floor, f"0 to {LARGEST:g}")
    if len(table) == 0:
        return np.full((table.shape[1], factors.size), math.nan)
    raised = np.maximum(table, floor)
    # Products rather than ratios, which 0 has not; a cost that is the cheapest's but for rounding is the cheapest.
    reach = raised.min(axis=1, keepdims=True, initial=math.inf) * factors * (1 + 16 * np.finfo(np.float64).eps)
    within = (raised[:, :, None] <= reach[:, None, :]) & np.isfinite(raised)[:, :, None]
    return np.asarray(within.mean(axis=0), dtype=np.float64)


def stratified_interval(
    statistic: Aggregate,
    groups: Groups,
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 9999,
) -> tuple[float, float]:
    """Percentile bootstrap interval (low, high) of a statistic over tasks, the seeds resampled within each task.

    The tasks are the same in each resample: the interval is about these tasks and not about others. (nan, nan) without
    tasks, or where a task has fewer than two scores. The statistic may be infinite, but never nan. Source: Agarwal et
    al. 2021.
    """
    tasks = [checked_scores(group) for group in groups]
    check_plan(confidence, resamples)
    if min((task.size for task in tasks), default=0) < 2:
        return math.nan, math.nan
    found = resampled(lambda *rows: statistic(rows), tasks, generator, resamples)
    return percentile_interval(found, confidence)


def pooled_iqm(rows: Sequence[Floats]) -> Floats:
    """Interquartile mean over the runs of all tasks together, in which a task with more runs weighs more.

    Source: Agarwal et al. 2021.
    """
    return iqm_rows(np.concatenate(rows, axis=-1))


def mean_of_means(rows: Sequence[Floats]) -> Floats:
    """Mean over the tasks of each task's mean, in which every task weighs the same."""
    return np.asarray(np.mean([row.mean(axis=-1) for row in rows], axis=0), dtype=np.float64)


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


def _checked_costs(costs: ArrayLike) -> Floats:
    try:
        values = np.asarray(costs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue("costs", costs, "a row of numbers for each task, all of one length") from error
    require(values.ndim == 2, "shape of the costs", values.shape, "two dimensions, (tasks, techniques)")
    for task, one in np.argwhere(~((values >= 0) & (values <= LARGEST) | (values == math.inf)))[:1]:
        allowed = f"0 to {LARGEST:g}, or inf where the technique failed"
        raise BadValue(f"costs[{task}, {one}]", float(values[task, one]), allowed)
    return values
