"""Scores from Python, as arrays, Series, mappings or frames, for a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bench_lib.core.errors import BadValue, require
from bench_lib.report.analysis.scores import ScoreComparison
from bench_lib.stats.scores import ScoreSettings, SeedScores, compare_scores

Given: TypeAlias = ArrayLike | Mapping[int, float] | pd.Series
"""Scores of one task: a Series whose index is called `seed` and a mapping have seeds, others have none."""

GivenByTask: TypeAlias = Mapping[str, Given] | pd.DataFrame
"""Scores of several tasks: by name, or a frame with a column for each."""

ONE_TASK = "all runs"
ALLOWED = "numbers, with None or nan for failed runs"


def compare_given(one: Given | GivenByTask, other: Given | GivenByTask, settings: ScoreSettings) -> ScoreComparison:
    """The first scores against the second, the baseline; with tasks by name, on those that both have."""
    first, second = by_task(one), by_task(other)
    shared = [task for task in first if task in second]
    if not shared:
        raise BadValue("tasks of the first scores", [*first], f"some of those of the second: {', '.join(second)}")
    pairs = {task: _in_order(first[task], second[task], settings) for task in shared}
    names = (_name(one, "A"), _name(other, "B"))
    if names[0] == names[1]:
        names = ("A", "B")
    return ScoreComparison(*names, tuple(compare_scores(pairs, settings)), settings)


def by_task(given: Given | GivenByTask) -> dict[str, SeedScores]:
    """Scores by task; the only task has the name `ONE_TASK` where none is given."""
    if isinstance(given, pd.DataFrame) or (isinstance(given, Mapping) and all(isinstance(k, str) for k in given)):
        found = {str(task): seed_scores(values) for task, values in given.items()}
        require(len(found) > 0, "tasks", [], "at least one")
        return found
    return {ONE_TASK: seed_scores(given)}


def seed_scores(given: Given) -> SeedScores:
    """Scores of one task, with seeds if there are any."""
    if isinstance(given, pd.Series):
        seeds = given.index.tolist() if str(given.index.name).lower() == "seed" else None
        return SeedScores(_numbers(given.tolist()), None if seeds is None else _seeds(seeds))
    if isinstance(given, Mapping):
        return SeedScores(_numbers([*given.values()]), _seeds([*given]))
    return SeedScores(_numbers(given))


def _numbers(values: ArrayLike) -> np.ndarray:
    try:
        scores = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadValue("scores", values, ALLOWED) from error
    require(scores.ndim == 1 and scores.size > 0, "shape of the scores", scores.shape, "(runs,), one run or more")
    return np.where(np.isfinite(scores), scores, math.nan)


def _seeds(values: list[object]) -> tuple[int, ...]:
    for value in values:
        require(isinstance(value, Integral) and not isinstance(value, bool), "seed", value, "a whole number")
    return tuple(int(str(value)) for value in values)


def _in_order(one: SeedScores, other: SeedScores, settings: ScoreSettings) -> tuple[SeedScores, SeedScores]:
    """Scores that are to be paired and have no seeds are paired by their order."""
    if not settings.paired or one.seeds is not None or other.seeds is not None:
        return one, other
    sizes = one.scores.size, other.scores.size
    require(sizes[0] == sizes[1], "number of scores to pair by their order", sizes[1], f"{sizes[0]}, as in the first")
    order = tuple(range(sizes[0]))
    return SeedScores(one.scores, order), SeedScores(other.scores, order)


def _name(given: object, otherwise: str) -> str:
    return str(given.name) if isinstance(given, pd.Series) and given.name is not None else otherwise
