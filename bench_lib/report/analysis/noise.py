"""The noise floor of cells: how far results of one seed lie apart, from the repeats of a store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report.cells import CELL_ID, Cell
from bench_lib.stats.noise import Noise, noise
from bench_lib.store import Store
from bench_lib.store.repeats import distinct, repeats

MEASURES = ("noise_floor", "noise_sd", "noise_seeds")

Scores = Mapping[str, Sequence[float]]
"""The scores of the repeats of runs, by run id."""


def repeat_scores(store: Store) -> Scores:
    """The scores of the repeats that converged; of equal results of one kind of machine only the first counts."""
    known = repeats(store)
    if not known:
        return {}
    found: dict[str, list[float]] = {}
    for record in store.records(known):
        counting = distinct([record, *known[record.run_id]])
        again = [one for one in counting if one is not record and one.status == Status.CONVERGED]
        found[record.run_id] = [one.score for one in again if one.score is not None]
    return found


def noise_of(cell: Cell, again: Scores) -> Noise:
    """The noise of the runs of a cell that converged, and of their repeats."""
    scores, seeds = [], []
    for run_id, score in zip(np.array(cell.texts("run_id"))[cell.converged_mask], cell.scores(), strict=True):
        own = [float(score), *again.get(str(run_id), ())]
        scores += own
        seeds += [str(run_id)] * len(own)
    return noise(scores, seeds)


def noise_floors(known: Iterable[Cell], again: Scores) -> pd.DataFrame:
    """One row per cell: columns are `CELL_ID` and `MEASURES`, as fractions and NaN without repeats.

    `noise_floor` is the MAD within seeds, `noise_sd` the standard deviation, `noise_seeds` how many seeds have repeats.
    """
    rows = []
    for cell in known:
        measured: tuple[float, float, int] = (math.nan, math.nan, 0)
        if not again.keys().isdisjoint(cell.texts("run_id")):
            found = noise_of(cell, again)
            measured = found.mad, found.sd, found.repeated
        rows.append((*cell.cell_id, *measured))
    return pd.DataFrame(rows, columns=[*CELL_ID, *MEASURES])
