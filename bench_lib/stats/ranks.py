"""Ranks of techniques within tasks, and tests for differences of their average ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, fdtrc, gammaln
from scipy.stats import studentized_range

from bench_lib.core.errors import BadValue, require
from bench_lib.stats.spread import LARGEST, checked_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Friedman:
    """Friedman's test in its two forms: the chi-square, and Iman and Davenport's F, which is the less conservative."""

    statistic: float
    p: float
    f_statistic: float
    f_p: float


def average_ranks(scores: ArrayLike, higher_is_better: bool = True) -> Floats:
    """Mean over the tasks of the ranks of scores (tasks, techniques): (techniques,), 1 for the best of each task.

    Ties share the mean of their ranks; scores of a task that differ by rounding alone tie. nan without tasks.
    """
    table = checked_table(scores)
    tasks, techniques = table.shape
    if tasks == 0:
        return np.full(techniques, math.nan)
    leads = _leads(table if higher_is_better else -table)
    return np.asarray((techniques + 1 - leads.mean(axis=0)) / 2, dtype=np.float64)


def friedman(scores: ArrayLike) -> Friedman:
    """Friedman's test, corrected for ties, that all techniques of scores (tasks, techniques) rank alike over the tasks.

    All nan for fewer than two tasks or techniques; statistics 0 and p 1 where all scores of every task tie. Of two
    techniques it is the sign test. Where all tasks agree F is infinite; its p, which is a limit for many tasks, is
    never put below the chance of such agreement, 1 / k!^(tasks - 1) for k techniques. Source: Friedman 1937, Iman and
    Davenport 1980, Demsar 2006.
    """
    table = checked_table(scores)
    tasks, techniques = table.shape
    if min(tasks, techniques) < 2:
        return Friedman(math.nan, math.nan, math.nan, math.nan)
    leads = _leads(table)
    # Whole numbers: rounding decides neither whether all tie nor whether all tasks agree.
    between, total = int((leads.sum(axis=0) ** 2).sum()), int((leads**2).sum())
    if total == 0:
        return Friedman(0.0, 1.0, 0.0, 1.0)
    freedom, within = techniques - 1, tasks * total - between
    statistic = freedom * between / total
    f_statistic = (tasks - 1) * between / within if within else math.inf
    limit = float(fdtrc(freedom, freedom * (tasks - 1), f_statistic)) if within else 0.0
    least = math.exp(-(tasks - 1) * float(gammaln(techniques + 1)))
    return Friedman(statistic, float(chdtrc(freedom, statistic)), f_statistic, max(limit, least))


def kendall_w(scores: ArrayLike) -> float:
    """Kendall's coefficient of concordance of the rankings of scores (raters, items), corrected for ties.

    1 where all raters rank alike, 0 where their ranks cancel out, or where each puts all items on a par; nan for fewer
    than two raters or items. Source: Kendall and Babington Smith 1939, as Friedman's statistic over m (k - 1).
    """
    raters, items = checked_table(scores).shape
    return friedman(scores).statistic / (raters * (items - 1)) if min(raters, items) > 1 else math.nan


def critical_difference(techniques: int, tasks: int, alpha: float = 0.05) -> float:
    """The smallest distance between average ranks that is significant at level alpha in Nemenyi's test.

    Source: Demsar 2006, q_alpha sqrt(k (k + 1) / (6 N)) for k techniques and N tasks.
    """
    require(techniques >= 2, "number of techniques", techniques, "2 or more")
    require(tasks >= 1, "number of tasks", tasks, "1 or more")
    require(0 < alpha < 1, "alpha", alpha, "between 0 and 1, both excluded")
    quantile = float(studentized_range.ppf(1 - alpha, techniques, math.inf))
    return quantile / math.sqrt(2) * _rank_error(techniques, tasks)


def cliques(ranks: ArrayLike, difference: float) -> list[tuple[int, ...]]:
    """The largest groups of techniques with average ranks (techniques,) closer than the critical difference.

    The bars of a critical-difference diagram: indices from best to worst rank, groups of two or more, none inside
    another; a technique that differs from all others is in none.
    """
    values = checked_scores(ranks)
    require(difference >= 0, "critical difference", difference, "0 or more")
    order = np.argsort(values, kind="stable")
    ends = [int((values[order] - values[one] < difference).sum()) for one in order]
    found, reached = [], 0
    for start, end in enumerate(ends):
        if end > max(reached, start + 1):
            found.append(tuple(order[start:end].tolist()))
            reached = end
    return found


def checked_table(scores: ArrayLike) -> Floats:
    """The scores as an array (tasks, n) of finite floats, none beyond `LARGEST` in size; else `BadValue`."""
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue("scores", scores, "a row of finite numbers for each task, all of one length") from error
    require(values.ndim == 2, "shape of the scores", values.shape, "two dimensions, a row for each task")
    for task, column in np.argwhere(~(np.abs(values) <= LARGEST))[:1]:
        allowed = f"finite numbers up to {LARGEST:g} in size; leave out the task, or the column, that lacks a score"
        raise BadValue(f"scores[{task}, {column}]", float(values[task, column]), allowed)
    return values


def _leads(table: Floats) -> NDArray[np.int64]:
    """The number of techniques that each one beats, less the number that beat it, within its task: (tasks, techniques).

    k + 1 less twice the rank, of k techniques.
    """
    noise = 16 * np.finfo(np.float64).eps * np.abs(table).max(axis=1, initial=0)
    ahead = table[:, :, None] - table[:, None, :]
    ahead[np.abs(ahead) <= noise[:, None, None]] = 0
    return np.asarray(np.sign(ahead).sum(axis=2), dtype=np.int64)


def _rank_error(techniques: int, tasks: int) -> float:
    """Standard deviation of the distance between two average ranks where all techniques are alike."""
    return math.sqrt(techniques * (techniques + 1) / (6 * tasks))
