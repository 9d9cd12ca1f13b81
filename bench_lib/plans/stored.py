"""What a store holds of a plan: the cells of its parts, and the rows of their runs.

A plan may have a million runs. So cells and seeds are counted, and the id of a run is computed only where its seed is
stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.core.record import Status
from bench_lib.core.spec import RunSpec
from bench_lib.runner.cells import CellRuns
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction

SECONDS = ("setup_seconds", "train_seconds", "eval_seconds")
READ = (*KEPT, "status", *SECONDS, "provenance")
DATE = "started"

Cell = tuple[str, ...]
"""Task, profile and technique of a training."""
Seeds = Mapping[str, np.ndarray]
"""Seeds without repetition in rising order, by the key of their cell."""


class PlannedCell(NamedTuple):
    """A cell of a plan with the names of its training, and the key that cells with the same trainings share."""

    spec: RunSpec
    names: Cell
    training: str

    @classmethod
    def of(cls, spec: RunSpec) -> PlannedCell:
        technique = spec.training().technique()
        return cls(spec, (spec.task, spec.profile_name, technique), *spec.training_ids([0]))


class Rows(NamedTuple):
    """The runs of a store, a row each: ids, tasks, statuses, seconds and when they began, as seconds since 1970."""

    ids: list[str]
    tasks: np.ndarray
    seeds: np.ndarray
    statuses: np.ndarray
    setup: np.ndarray
    train: np.ndarray
    evaluation: np.ndarray
    started: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        return np.asarray(self.setup + self.train + self.evaluation)

    @property
    def completed(self) -> np.ndarray:
        """Which runs came to a result, and so took the time of one."""
        return np.isin(self.statuses, [str(status) for status in Status if status.completed])


@dataclass(frozen=True)
class Known:
    """The cells of a plan by their key, the seeds of each part and of all, and the stored runs."""

    cells: Mapping[str, PlannedCell]
    parts: Mapping[str, Seeds]
    whole: Seeds
    rows: Rows

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[CellRuns]], store: Store) -> Known:
        cells: dict[str, PlannedCell] = {}
        planned: dict[str, dict[str, list[np.ndarray]]] = {}
        for name, runs in parts.items():
            own = planned.setdefault(name, {})
            for one in runs:
                key = one.key()
                if key not in cells:
                    cells[key] = PlannedCell.of(one.spec)
                own.setdefault(key, []).append(np.array(one.seeds, dtype=np.int64))
        everything: dict[str, list[np.ndarray]] = {}
        for own in planned.values():
            for key, seeds in own.items():
                everything.setdefault(key, []).extend(seeds)
        return cls(cells, {name: _joined(own) for name, own in planned.items()}, _joined(everything), _rows(store))

    @cached_property
    def stored(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """The stored seeds of each cell, and the rows of their runs."""
        numbers = {run_id: row for row, run_id in enumerate(self.rows.ids)}
        tasks = {task: np.unique(self.rows.seeds[self.rows.tasks == task]) for task in np.unique(self.rows.tasks)}
        found = {}
        for key, seeds in self.whole.items():
            spec = self.cells[key].spec
            asked = np.intersect1d(seeds, tasks.get(spec.task, np.array([], dtype=np.int64)), assume_unique=True)
            rows = np.array([numbers.get(one, -1) for one in spec.run_ids(asked.tolist())], dtype=np.int64)
            found[key] = asked[rows >= 0], rows[rows >= 0]
        return found

    def rows_of(self, part: Seeds) -> np.ndarray:
        """The rows of the stored runs of a part, in the order of the store."""
        found = [
            rows[np.isin(self.stored[key][0], seeds)]
            for key, seeds in part.items()
            for rows in [self.stored[key][1]]
            if len(rows)
        ]
        return np.sort(np.concatenate([np.array([], dtype=np.int64), *found]))

    def left(self, part: Seeds) -> dict[str, np.ndarray]:
        """The seeds of a part that are not stored."""
        return {
            key: np.setdiff1d(seeds, self.stored[key][0], assume_unique=True) if len(self.stored[key][0]) else seeds
            for key, seeds in part.items()
        }


def _joined(seeds: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.unique(np.concatenate(own)) for key, own in seeds.items()}


def _rows(store: Store) -> Rows:
    table = store.table(Reduction(READ, _dated))
    setup, train, evaluation = (table[name].to_numpy() for name in SECONDS)
    started = _timestamps(table[DATE].to_pandas())
    tasks, statuses = (np.array(table[name].to_pylist(), dtype=np.str_) for name in ("task", "status"))
    return Rows(
        table["run_id"].to_pylist(), tasks, table["seed"].to_numpy(), statuses, setup, train, evaluation, started
    )


def _dated(table: pa.Table) -> pa.Table:
    """The columns that are needed, of the provenance the date alone."""
    date = pc.map_lookup(table["provenance"], DATE, "first")
    return table.drop_columns(["provenance"]).append_column(DATE, date.cast(pa.string()))


def _timestamps(dates: pd.Series[str]) -> np.ndarray:
    """Seconds since 1970, of dates without a zone as in UTC; NaN for what is no date."""
    # In microseconds dates reach beyond the year 9999, in the nanoseconds of a difference they do not.
    moments = pd.to_datetime(dates, format="ISO8601", utc=True, errors="coerce").dt.as_unit("us").dt.tz_convert(None)
    found = moments.to_numpy()
    return np.where(np.isnat(found), np.nan, found.astype(np.int64) / 1e6)
