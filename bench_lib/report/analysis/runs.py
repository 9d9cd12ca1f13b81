"""Loads the runs of a store for a report, with curves reduced while reading, so that a million runs fit."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench_lib.core.machine import machine_of
from bench_lib.core.record import Status
from bench_lib.core.spec import canonical_json
from bench_lib.report.analysis.dynamics import READ, dynamics, ragged
from bench_lib.report.analysis.efficiency import STORED
from bench_lib.report.analysis.further import COLUMN, further_column
from bench_lib.report.analysis.names import LONGEST, LONGEST_TEXT, NAMELESS, named
from bench_lib.report.analysis.other_metrics import VALUES, Ragged, other_metric_columns
from bench_lib.report.cells import is_score, numbers
from bench_lib.report.formatting import shorten
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction

Floats = NDArray[np.float64]

POINTS = 16
"""The number of points of a reduced training curve."""

PLAIN = (
    *(
        "data_source",
        "status",
        "reason",
        "metric",
        "score",
        "trivial_score",
        "steps",
        "forward_passes",
        "backward_passes",
    ),
    *("train_seconds", "tokens_per_second", "peak_memory_bytes", "eval_step", "eval_score", *STORED),
)
"""Columns that are loaded unchanged."""

SCORES = ("trivial_score", "robust_score", "adversarial_score")
"""Score columns beside the final score."""

AMOUNTS = (
    *("forward_passes", "backward_passes", "train_seconds", "tokens_per_second", "peak_memory_bytes"),
    *(name for name in STORED if name not in SCORES),
)
MOST = 1e15
"""An upper bound of plausible seconds, bytes and parameters."""

SEED = r',"seed":[0-9]+,"stack":'
"""The seed in the canonical JSON of a spec; without it, most specs are the same text and parsed once."""
DATE = "started"
"""The part of the provenance that differs between the runs of one sweep."""


@dataclass(frozen=True, eq=False)
class Runs:
    """One row per run, with its spec without the seed.

    `loss` are the training losses: (runs, POINTS) float32; `measured` the values of metrics beside the primary ones.
    """

    frame: pd.DataFrame
    loss: NDArray[np.float32]
    measured: Ragged


def read(store: Store) -> Runs:
    """The runs of a store, sorted like `Store.records`.

    `spec` is canonical JSON without the seed, `provenance` canonical JSON without when the run started, which is
    `started`, and `machine` what it says of the machine; amounts and scores that no run can have are not known; curves
    become means over equal parts of the steps, and the numbers of `DYNAMICS`. Texts are fit to be shown, see `names`,
    but for those within the specs, which tell cells apart.
    """
    table = store.table(Reduction((*KEPT, *PLAIN, *READ, "curve_loss", "spec", "provenance", "metrics"), _reduced))
    loss = np.asarray(table["loss"].combine_chunks().flatten(), dtype=np.float32).reshape(-1, POINTS)
    frame = table.drop_columns(["loss", VALUES]).to_pandas()
    return Runs(_believed(named(frame)), loss, ragged(table[VALUES]))


def _believed(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace implausible amounts and scores by missing values.

    Scores of converged runs are not changed: `cells` raises an error for invalid ones.
    """
    converged = frame["status"] == Status.CONVERGED
    found = {name: frame[name].where(converged | is_score(frame[name])) for name in ("score",)}
    found |= {name: frame[name].where(is_score(frame[name])) for name in SCORES}
    found |= {name: frame[name].where((numbers(frame[name]) >= 0) & (numbers(frame[name]) <= MOST)) for name in AMOUNTS}
    return frame.assign(**{name: column for name, column in found.items() if not column.equals(frame[name])})


def thinned(values: Floats, offsets: NDArray[np.int64], points: int = POINTS) -> NDArray[np.float32]:
    """Curves reduced to means over equal parts: (curves, points), NaN for a curve without values.

    Curve i is `values[offsets[i]:offsets[i + 1]]`; one with fewer values than points repeats them.
    """
    lengths = np.diff(offsets)
    parts = np.arange(points + 1) * lengths[:, None] // points
    starts = offsets[:-1, None] + np.minimum(parts[:, :-1], np.maximum(lengths - 1, 0)[:, None])
    ends = np.maximum(offsets[:-1, None] + parts[:, 1:], starts + 1)
    bounds = np.stack([starts, ends], axis=-1).reshape(-1)
    # A part ends where the next one starts or later, and the last at the end of the values: hence the padding.
    padded = np.append(values, [math.nan, math.nan])
    with np.errstate(all="ignore"):
        sums = np.add.reduceat(padded, np.minimum(bounds, values.size)) if bounds.size else np.empty(0)
        means = sums[::2].reshape(-1, points) / (ends - starts)
        return np.where(lengths[:, None] > 0, means, math.nan).astype(np.float32)


def _reduced(rows: pa.Table) -> pa.Table:
    known = rows.select([name for name in rows.column_names if name in (*KEPT, *PLAIN)])
    provenance = _lasting_provenance(rows["provenance"].combine_chunks())
    added = {
        "spec": _seedless_specs(rows["spec"].combine_chunks()),
        "started": pc.map_lookup(rows["provenance"], DATE, "first").cast(pa.string()).fill_null(""),
        "provenance": provenance,
        "machine": _coded(provenance.indices, [_machine(text) for text in provenance.dictionary.to_pylist()]),
        "loss": pa.FixedSizeListArray.from_arrays(thinned(*ragged(rows["curve_loss"])).ravel(), POINTS),
        COLUMN: further_column(rows["metrics"], rows["spec"]),
        **other_metric_columns(rows["metrics"], rows["metric"]),
        **dynamics(rows),
    }
    for name, column in added.items():
        known = known.append_column(name, column)
    return known


def _seedless_specs(specs: pa.StringArray) -> pa.DictionaryArray:
    """The specs without their seeds; parsed is each of the texts that are left."""
    plain = pc.replace_substring_regex(specs, SEED, ',"stack":', max_replacements=1).dictionary_encode()
    return _coded(plain.indices, [_seedless(text) for text in plain.dictionary.to_pylist()])


def _lasting_provenance(maps: pa.MapArray) -> pa.DictionaryArray:
    """The provenance without its date as JSON, written once for the rows that have the same."""
    firsts, kinds = alike_maps(maps, DATE)
    origins = [[part for part in maps[row].as_py() if part[0] != DATE] for row in firsts.tolist()]
    return _coded(pa.array(kinds), [_lasting(tuple(origin)) for origin in origins])


def alike_maps(maps: pa.MapArray, without: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that are the first of their kind, apart from the value of one key, and the kind of each row."""
    begin, end = maps.offsets[0].as_py(), maps.offsets[-1].as_py()
    keys = maps.keys.slice(begin, end - begin).dictionary_encode()
    counted = np.asarray(pc.not_equal(keys.dictionary, without)).astype(bool)[np.asarray(keys.indices)]
    items = maps.items.slice(begin, end - begin).filter(pa.array(counted)).dictionary_encode()
    pairs = np.stack([np.asarray(keys.indices)[counted], np.asarray(items.indices)], axis=1)
    lengths = np.diff(np.asarray(maps.offsets))
    rows = np.repeat(np.arange(len(maps)), lengths)[counted]
    numbers = np.bincount(rows, minlength=len(maps))
    starts = np.cumsum(numbers) - numbers
    found: dict[bytes, int] = {}
    kinds = [
        found.setdefault(pairs[at : at + size].tobytes(), row)
        for row, (at, size) in enumerate(zip(starts, numbers, strict=True))
    ]
    firsts, places = np.unique(np.array(kinds, dtype=np.int64), return_inverse=True)
    return firsts, places.reshape(-1)


@functools.lru_cache(maxsize=2**14)
def _lasting(origin: tuple[tuple[str, str], ...]) -> str:
    return canonical_json({shorten(key, LONGEST) or NAMELESS: shorten(value, LONGEST_TEXT) for key, value in origin})


@functools.lru_cache(maxsize=2**14)
def _machine(provenance: str) -> str:
    return machine_of(json.loads(provenance))


@functools.lru_cache(maxsize=2**14)
def _seedless(text: str) -> str:
    """The spec without its seed; other text is returned unchanged: `cells` raises an error for it."""
    try:
        spec = json.loads(text)
        whole = canonical_json({k: v for k, v in spec.items() if k != "seed"}) if isinstance(spec, Mapping) else text
    except (ValueError, RecursionError):
        return text
    # JSON can contain an unpaired surrogate, which UTF-8 cannot encode.
    return whole.encode(errors="replace").decode()


def _coded(kinds: pa.Array, texts: Sequence[str]) -> pa.DictionaryArray:
    """The text of each kind, coded with every text once."""
    coded = pa.array(texts, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.take(kinds), coded.dictionary)
