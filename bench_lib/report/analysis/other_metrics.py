"""Metrics of a task beside its primary one: mean, MAD and extremes over the seeds of a cell."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench_lib.core.record import Status
from bench_lib.report.analysis.names import LONGEST
from bench_lib.report.cells import CELL_ID, Cell, split_cells
from bench_lib.report.formatting import shorten
from bench_lib.stats.spread import LARGEST, mad, mean

OTHERS = (
    *(*CELL_ID, "primary", "metric", "status", "runs", "mean", "mad", "minimum", "maximum"),
    *("primary_mean", "primary_mad"),
)
NAMES, VALUES = "other_metrics", "other_values"
"""The columns of runs with these metrics: their names as a JSON list, empty text without any, and their values."""

SHOWN = (Status.CONVERGED, Status.COLLAPSED)
"""The statuses of runs that were evaluated on the whole evaluation set."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Ragged = tuple[Floats, Integers]
"""Values of all runs, and the offsets of each run's own."""


def other_metric_columns(metrics: pa.ChunkedArray, primary: pa.ChunkedArray) -> dict[str, pa.Array]:
    """The columns of `NAMES` and `VALUES`, from the metrics of runs and the names of their primary ones.

    Names with a dot are measures of further sets, and left out.
    """
    maps = metrics.combine_chunks()
    begin, end = maps.offsets[0].as_py(), maps.offsets[-1].as_py()
    names, values = (part.slice(begin, end - begin) for part in (maps.keys, maps.items))
    rows = np.repeat(np.arange(len(maps)), np.diff(np.asarray(maps.offsets)))
    first = pc.equal(names, primary.combine_chunks().take(pa.array(rows)))
    kept = pc.invert(pc.or_(first, pc.match_substring(names, ".")))
    counts = np.bincount(rows[np.asarray(kept)], minlength=len(maps))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    named = _named(names.filter(kept).dictionary_encode(), counts)
    return {NAMES: named, VALUES: pa.ListArray.from_arrays(offsets, values.filter(kept))}


def _named(names: pa.DictionaryArray, counts: Integers) -> pa.DictionaryArray:
    """The names of each row as a JSON list, from those of all rows and their numbers."""
    known, codes = names.dictionary.to_pylist(), np.asarray(names.indices, dtype=np.int32)
    text, where, found = codes.tobytes(), np.flatnonzero(counts), {b"": 0}
    ends = np.cumsum(counts)[where] * codes.itemsize
    places = zip((ends - counts[where] * codes.itemsize).tolist(), ends.tolist(), strict=True)
    kinds = np.zeros(len(counts), dtype=np.int32)
    kinds[where] = [found.setdefault(text[start:end], len(found)) for start, end in places]
    lists = [[known[code] for code in np.frombuffer(key, np.int32).tolist()] for key in found]
    texts = [json.dumps(names) if names else "" for names in lists]
    return pa.DictionaryArray.from_arrays(pa.array(kinds), pa.array(texts, pa.string()))


def other_metrics(known: pd.DataFrame, measured: Ragged) -> pd.DataFrame:
    """One row per cell, metric beside the primary one, and status of `SHOWN`; columns are `OTHERS`.

    `known` are the runs with cell ids, and with their `row` among the measured values. `primary_mean` and `primary_mad`
    are the same runs' scores. MADs of fewer than two runs are NaN.
    """
    cells = split_cells(known[known[NAMES] != ""])
    rows = [row for cell in cells for name, values in _by_name(cell, measured) for row in _rows(cell, name, values)]
    return pd.DataFrame(rows, columns=list(OTHERS))


def _by_name(cell: Cell, measured: Ragged) -> Iterator[tuple[str, Floats]]:
    """The metrics of a cell, and the values of each: (runs,), NaN where a run lacks it."""
    values, offsets = measured
    texts = np.array(cell.texts(NAMES), dtype=object)
    starts = offsets[cell.numbers("row").astype(np.int64)]
    found: dict[str, Floats] = {}
    for kind in sorted(set(texts)):
        own = texts == kind
        for place, name in enumerate(json.loads(kind)):
            found.setdefault(name, np.full(cell.size, math.nan))[own] = values[starts[own] + place]
    yield from sorted(found.items())


def _rows(cell: Cell, name: str, values: Floats) -> Iterator[Mapping[str, Any]]:
    scores, statuses = cell.numbers("score"), np.array(cell.statuses, dtype=object)
    primary, metric = max(cell.texts("metric")), shorten(name, LONGEST)
    # A collapsed run's score may be none that a run can have, and is then not known.
    usable = (np.abs(values) <= LARGEST) & np.isfinite(scores)
    for status in SHOWN:
        has = usable & (statuses == status)
        if has.any():
            own = {"primary": primary, "metric": metric, "status": str(status), "runs": int(has.sum())}
            extremes = {"minimum": float(values[has].min()), "maximum": float(values[has].max())}
            spread = {"mean": mean(values[has]), "mad": _mad(values[has])}
            beside = {"primary_mean": mean(scores[has]), "primary_mad": _mad(scores[has])}
            yield {**cell.id_fields(), **own, **spread, **extremes, **beside}


def _mad(values: Floats) -> float:
    return mad(values) if len(values) > 1 else math.nan
