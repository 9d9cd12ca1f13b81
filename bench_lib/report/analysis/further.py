"""Scores on further evaluation sets and forgetting: mean and MAD over the seeds of a cell."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench_lib.core.spec import canonical_json
from bench_lib.report.cells import CELL_ID, ROUNDING, Cell, parse_spec, split_cells
from bench_lib.stats.spread import mad, mean
from bench_lib.tasks.further import FORGETTING

FURTHER = (*CELL_ID, "set", "measure", "runs", "mean", "mad", "task_mean", "task_mad")
FORGOTTEN = (*CELL_ID, "runs", "perplexity_before", "perplexity", "log_ratio", "log_ratio_mad")
COLUMN = "further"
"""The column of runs with these measures: a JSON object of values by `SET.MEASURE`, empty text without any."""

Floats = NDArray[np.float64]
Measured = Mapping[str, Floats]


def further_column(metrics: pa.ChunkedArray, specs: pa.ChunkedArray) -> pa.Array:
    """The column of runs, from their metrics and specs: the metrics of the sets that the spec names."""
    maps = metrics.combine_chunks()
    if not pc.any(pc.match_substring(maps.keys, ".")).as_py():
        return pa.array([""] * len(maps), pa.string()).dictionary_encode()
    texts = [
        _measures_text(pairs, specs[row].as_py()) if any("." in name for name, _ in pairs or ()) else ""
        for row, pairs in enumerate(maps.to_pylist())
    ]
    return pa.array(texts, pa.string()).dictionary_encode()


def _measures_text(pairs: Iterable[tuple[str, float | None]], spec: str) -> str:
    named = parse_spec(spec).get("also")
    sets = set(named) if isinstance(named, Mapping) else set()
    found = {name: value for name, value in pairs if name.partition(".")[0] in sets and _finite(value)}
    return canonical_json(found) if found else ""


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def further_scores(known: pd.DataFrame) -> pd.DataFrame:
    """One row per cell and measure of a further set, over the converged runs that have it; columns are `FURTHER`.

    `known` are the runs with cell ids. Scores are fractions; `task_mean` and `task_mad` are the same runs' scores on
    the task itself. MADs of fewer than two runs are NaN.
    """
    rows = [row for cell, measured in _measured(known) for row in _score_rows(cell, measured)]
    return pd.DataFrame(rows, columns=list(FURTHER))


def forgetting(known: pd.DataFrame) -> pd.DataFrame:
    """One row per cell with perplexities on general text, over the converged runs; columns are `FORGOTTEN`.

    `perplexity_before` and `perplexity` are geometric means; `log_ratio` is the mean of ln(after / before).
    """
    rows = [row for cell, measured in _measured(known) for row in _forgetting_rows(cell, measured)]
    return pd.DataFrame(rows, columns=list(FORGOTTEN))


def _measured(known: pd.DataFrame) -> Iterator[tuple[Cell, Measured]]:
    """The cells with measures, and the values of each: (converged,) float64, NaN where a run lacks it."""
    for cell in split_cells(known[known[COLUMN].astype(str) != ""]):
        texts = np.array(cell.texts(COLUMN), dtype=object)[cell.converged_mask]
        runs: list[dict[str, float]] = [json.loads(text) for text in texts]
        names = sorted({name for run in runs for name in run})
        yield cell, {name: np.array([run.get(name, math.nan) for run in runs], dtype=np.float64) for name in names}


def _score_rows(cell: Cell, measured: Measured) -> Iterator[dict[str, Any]]:
    scores = cell.scores()
    for name, values in measured.items():
        further_set, _, measure = name.partition(".")
        has = np.abs(values) <= 1 + ROUNDING
        if further_set == FORGETTING or not has.any():
            continue
        spread = {"mean": mean(values[has]), "mad": _mad(values[has])}
        own = {"task_mean": mean(scores[has]), "task_mad": _mad(scores[has])}
        yield {**cell.id_fields(), "set": further_set, "measure": measure, "runs": int(has.sum()), **spread, **own}


def _forgetting_rows(cell: Cell, measured: Measured) -> Iterator[dict[str, Any]]:
    unknown = np.full(int(cell.converged_mask.sum()), math.nan)
    before, after = (measured.get(f"{FORGETTING}.{name}", unknown) for name in ("perplexity_before", "perplexity"))
    has = (before > 0) & (after > 0)
    if has.any():
        # Of logarithms: a model that forgot everything has a perplexity near the largest float.
        first, last = np.log(before[has]), np.log(after[has])
        ratio = last - first
        means = {"perplexity_before": math.exp(mean(first)), "perplexity": math.exp(mean(last))}
        changes = {"log_ratio": mean(ratio), "log_ratio_mad": _mad(ratio)}
        yield {**cell.id_fields(), "runs": int(has.sum()), **means, **changes}


def _mad(values: Floats) -> float:
    return mad(values) if len(values) > 1 else math.nan
