"""Diagnostics of a cell beside the verdict: score measures, agreement of predictions, and training dynamics."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from bench_lib.core.record import Predictions
from bench_lib.report.analysis.dynamics import DYNAMICS
from bench_lib.report.cells import CELL_ID, Cell
from bench_lib.stats.agreement import churn, fleiss_kappa
from bench_lib.stats.bootstrap import bca_interval
from bench_lib.stats.location import expected_maximum, iqm
from bench_lib.tasks import TASKS

Reader = Callable[[str], Predictions | None]
"""Loads the predictions of a run by its id; None if none are stored."""

PICKED = 5
"""The n of the expected best-of-n score."""

RESAMPLES = 1999
FEWEST = 3
"""The smallest number of scores for an interval of the MAD."""

MEASURES = ("mad_low", "mad_high", "iqm", f"expected_max_{PICKED}", "churn", "kappa")
DIAGNOSTICS = (*CELL_ID, *MEASURES, *DYNAMICS)


def diagnostics(known: Iterable[Cell], predictions: Reader | None = None) -> pd.DataFrame:
    """One row per cell, over its converged runs: columns are `DIAGNOSTICS`, NaN for unknown values.

    `mad_low` and `mad_high` bound the MAD at 95 % (BCa); `iqm` is the interquartile mean, `expected_max_5` the score to
    expect of the best of five runs; `churn` is the share of items that two runs predict differently, `kappa` their
    agreement beyond chance, both over the runs whose predictions are stored; the others are means over the runs.
    """
    rows = [
        {**cell.id_fields(), **_measures(cell), **_agreement(cell, predictions), **_dynamics(cell)} for cell in known
    ]
    return pd.DataFrame(rows, columns=list(DIAGNOSTICS))


def _measures(cell: Cell) -> dict[str, float]:
    scores = cell.scores()
    low, high = math.nan, math.nan
    if scores.size >= FEWEST:
        low, high = bca_interval(_mads, scores, np.random.default_rng([0, scores.size]), resamples=RESAMPLES)
    best = expected_maximum(scores, PICKED)
    return {"mad_low": low, "mad_high": high, "iqm": iqm(scores), f"expected_max_{PICKED}": best}


def _mads(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The MAD of each row of scores (..., n)."""
    # Differences from a score rather than the scores: rounding cannot make equal scores seem spread.
    offsets = scores - scores[..., :1]
    offsets -= offsets.mean(axis=-1, keepdims=True)
    return np.asarray(np.abs(offsets, out=offsets).mean(axis=-1))


def _agreement(cell: Cell, predictions: Reader | None) -> dict[str, float]:
    task = cell.id_fields()["task"]
    # The kind of a task that is not installed is unknown, and with it the meaning of the predictions.
    if predictions is None or task not in TASKS:
        return {}
    found = [
        one
        for one in map(predictions, itertools.compress(cell.texts("run_id"), cell.converged_mask))
        if one is not None
    ]
    predicted = TASKS.get(task).format.item_codes(found) if len(found) >= 2 else None
    return {} if predicted is None else {"churn": churn(predicted).mean, "kappa": fleiss_kappa(predicted)}


def _dynamics(cell: Cell) -> dict[str, float]:
    # A frame that does not come from `runs.read` lacks these columns, or has the drift of each layer.
    frame = cell.columns.frame
    available = [name for name in DYNAMICS if name in frame and is_numeric_dtype(frame[name].dtype)]
    return {name: _mean(cell.converged_numbers(name)) for name in available}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
