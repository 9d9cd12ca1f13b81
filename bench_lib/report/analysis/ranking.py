"""Average ranks of techniques over the tasks of a group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.report.cells import GROUP, key_parts, numbers
from bench_lib.stats.ranks import average_ranks, critical_difference, friedman

RANKS = (*GROUP, "technique", "average_rank", "tasks", "friedman_p", "critical_difference")
FEWEST = 3
"""The minimum number of tasks, and of techniques, for tests of ranks."""

DIGITS = 12
"""Decimals to which values are rounded before ranking."""


def ranks(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per technique and (data, model, profile), the best first: its mean rank over the tasks, 1 is best.

    Columns are `RANKS`; `cells` are rows of `tables.cells`. A lower failure rate ranks before a higher one, and of
    equal ones the lower MAD among the runs that converged; no MAD comes last. Techniques are ranked if each task of the
    group judged them, and holds them once. `friedman_p` (Iman and Davenport) says whether all could be alike, and ranks
    closer than `critical_difference` (Nemenyi, 5 %) could be; both are nan for fewer than three tasks or techniques.
    """
    rows: list[tuple[Any, ...]] = []
    for key, group in cells[numbers(cells["judged"]) > 0].groupby(list(GROUP), sort=True, observed=True):
        rows += [(*key_parts(key), *row) for row in _ranked(group)]
    return pd.DataFrame(rows, columns=list(RANKS))


def _ranked(group: pd.DataFrame) -> list[tuple[Any, ...]]:
    places = places_by("task", group)
    tasks, techniques = places.shape
    enough = min(tasks, techniques) >= FEWEST
    p = friedman(places).f_p if enough else math.nan
    difference = critical_difference(techniques, tasks) if enough else math.nan
    means = average_ranks(places, higher_is_better=False)
    named = sorted(zip(means.tolist(), places.columns.astype(str), strict=True))
    return [(technique, mean, tasks, p, difference) for mean, technique in named]


def places_by(block: str, group: pd.DataFrame) -> pd.DataFrame:
    """The techniques that every block holds once, as places (blocks, techniques) that are equal where they tie.

    A block is a task, or a model: what the column `block` of the cells says. Lower is better.
    """
    named = group.astype({block: str, "technique": str})
    blocks = sorted(set(named[block]))
    single = named[~named.duplicated([block, "technique"], keep=False)]
    tables = [single.pivot(index=block, columns="technique", values=name) for name in ("failure_rate", "mad")]
    rates, mads = (table.reindex(blocks).astype(float).round(DIGITS) for table in tables)
    whole = rates.columns[rates.notna().all()]
    pairs = zip(rates[whole].to_numpy(), mads[whole].fillna(math.inf).to_numpy(), strict=True)
    return pd.DataFrame([_placed(*pair) for pair in pairs], blocks, whole, dtype=float)


def _placed(rates: NDArray[np.float64], mads: NDArray[np.float64]) -> list[int]:
    """Places by the first, then by the second: from 0 upwards."""
    keys = list(zip(rates.tolist(), mads.tolist(), strict=True))
    order = {key: number for number, key in enumerate(sorted(set(keys)))}
    return [order[key] for key in keys]
