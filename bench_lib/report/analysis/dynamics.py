"""Training dynamics of stored runs: a few numbers per run, computed for many runs at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench_lib.core.errors import BadValue
from bench_lib.stats.dynamics import drift_summary, explosions, fluctuation, gradient_health, vanishing_share
from bench_lib.stats.spread import LARGEST

Floats = NDArray[np.float64]

DYNAMICS = ("fluctuation", "explosions", "clipped", "vanishing", "drift")
"""The measures of training dynamics, see `stats.dynamics`; NaN for unknown values."""

NORMS = ("curve_grad_norm", "curve_grad_norm_first", "curve_grad_norm_last")
LISTS = (*NORMS, "drift", "eval_score")
COUNTS = ("clipped_steps", "nonfinite_steps")
READ = (*NORMS, "drift", *COUNTS)
"""The stored columns that the measures need, beside the evaluation scores."""


def dynamics(rows: pa.Table) -> dict[str, pa.Array]:
    """The columns of `DYNAMICS` for rows with the columns of `READ` and `eval_score`."""
    lists = {name: ragged(rows[name]) for name in LISTS}
    counts = np.stack([rows[name].to_numpy().astype(np.float64) for name in COUNTS], axis=1)  # nan for None
    found = np.full((rows.num_rows, len(DYNAMICS)), math.nan)
    for part in _alike(lists, counts):
        plain = part.plain()
        if plain.any():
            found[part.rows[plain]] = part.taken(plain).together()
        for place in np.flatnonzero(~plain).tolist():
            found[part.rows[place]] = part.alone(place)
    return {name: pa.array(found[:, place]) for place, name in enumerate(DYNAMICS)}


def ragged(column: pa.ChunkedArray) -> tuple[Floats, NDArray[np.int64]]:
    """The concatenated values of a list column, and the offsets of its lists."""
    lists = column.combine_chunks()
    lengths = np.asarray(lists.value_lengths(), dtype=np.int64)
    return np.asarray(lists.flatten(), dtype=np.float64), np.concatenate([[0], np.cumsum(lengths)])


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows with lists of the same lengths: each list as (rows, length), and the counts as (rows, counts)."""

    rows: NDArray[np.int64]
    lists: Mapping[str, Floats]
    counts: Floats

    def plain(self) -> NDArray[np.bool_]:
        """The rows whose values are all known and consistent; other rows are computed one by one."""
        steps = self.lists[NORMS[0]].shape[1]
        whole = all(self.lists[name].shape[1] == steps for name in NORMS) and steps and self.lists["drift"].shape[1]
        within = [(values >= 0) & (values <= LARGEST) for name, values in self.lists.items() if name != "eval_score"]
        scores = np.abs(self.lists["eval_score"]) <= LARGEST
        counted = np.isnan(self.counts) | ((self.counts >= 0) & (self.counts <= steps))
        return np.asarray(np.hstack([*within, scores, counted]).all(axis=1) & bool(whole))

    def taken(self, some: NDArray[np.bool_]) -> _Part:
        return _Part(self.rows[some], {name: values[some] for name, values in self.lists.items()}, self.counts[some])

    def together(self) -> Floats:
        """The measures of plain rows: (rows, measures)."""
        norms, first, last = (self.lists[name] for name in NORMS)
        scores = self.lists["eval_score"]
        moved = np.abs(np.diff(scores)).mean(axis=1) if scores.shape[1] > 1 else np.full(len(scores), math.nan)
        clipped, vanished = self.counts[:, 0] / norms.shape[1], vanishing_share(first, last)
        return np.stack([moved, explosions(norms), clipped, vanished, self.lists["drift"].mean(axis=1)], axis=1)

    def alone(self, place: int) -> tuple[float, ...]:
        """The measures of one row; NaN for inconsistent curves."""
        own = {name: values[place] for name, values in self.lists.items()}
        counts = [None if math.isnan(count) else int(count) for count in self.counts[place]]
        try:
            health = gradient_health(*(own[name] for name in NORMS), *counts)
            jumps = float(health.explosions) if health.steps else math.nan
            moved = fluctuation(own["eval_score"]) if np.isfinite(own["eval_score"]).all() else math.nan
            return moved, jumps, health.clipped, health.vanishing, drift_summary(own["drift"][None]).overall
        except BadValue:
            return (math.nan,) * len(DYNAMICS)


def _alike(lists: Mapping[str, tuple[Floats, NDArray[np.int64]]], counts: Floats) -> Iterator[_Part]:
    lengths = np.stack([np.diff(offsets) for _, offsets in lists.values()], axis=1)  # (rows, lists)
    kinds, kind_of = np.unique(lengths, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero(kind_of.reshape(-1) == number)
        taken = zip(lists.items(), kind.tolist(), strict=True)
        parts = {name: values[at[rows, None] + np.arange(size)] for (name, (values, at)), size in taken}
        yield _Part(rows, parts, counts[rows])
