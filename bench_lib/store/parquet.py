"""The results folder: one immutable Parquet file a run, or compacted files; readers need not care which."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.errors import BadStore
from bench_lib.record import Predictions, RunRecord
from bench_lib.store import weights
from bench_lib.store.files import Damaged, batches, read, read_row, safe, stage
from bench_lib.store.schema import PREDICTIONS, RUNS, predictions_table, to_predictions, to_records, to_table

if TYPE_CHECKING:
    import pandas as pd

Folder = Literal["runs", "predictions"]

_ORDER = ("task", "technique", "model", "profile", "seed", "run_id")

KEPT = (*_ORDER, "attempts")
"""Columns by which the rows that count are found and sorted."""


BATCH = 4096
"""Rows that a reduction holds at a time."""


class Reduction(NamedTuple):
    """What is to be kept of runs that are too many to be held whole.

    The columns that are read, and what they become: as many rows, with the columns of `KEPT` among them.
    """

    columns: tuple[str, ...]
    reduce: Callable[[pa.Table], pa.Table]


class Place(NamedTuple):
    """Where the predictions of a run stand: a row of a file."""

    attempts: int
    path: Path
    row: int


class Store:
    """The runs under one folder, which need not exist yet.

    Where a run stands in several files, the row with more attempts counts, and of equals the single file. A damaged
    file is moved to `quarantine/` when it is met and listed in `set_aside` as (file, why), both relative to the root;
    a file of another schema raises `BadStore` and stays where it is.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise BadStore(f"results {root} is a file; allowed: a folder, which need not exist yet")
        self.root = root
        self.set_aside: list[tuple[str, str]] = []
        self._indices: dict[Path, dict[str, Place]] = {}

    def append(self, record: RunRecord) -> None:
        """Write one run: first its weights and predictions, then its row, each to a temporary name, then renamed."""
        sidecar, path = self.path("predictions", record), self.path("runs", record)
        row = to_table([record])
        predicted = None if record.predictions is None else predictions_table(record)
        if record.weights is not None:
            self.put_weights(record)
        if predicted is not None:
            stage(sidecar.parent, [predicted], PREDICTIONS).replace(sidecar)
        stage(path.parent, [row], RUNS).replace(path)
        if predicted is None:
            sidecar.unlink(missing_ok=True)

    def path(self, folder: Folder, record: RunRecord) -> Path:
        """Where the single file of a run stands."""
        parent = self.root / folder / f"task={safe(record.task)}" / f"technique={safe(record.technique)}"
        return parent / f"{_checked(record.run_id)}.parquet"

    def files(self, folder: Folder, run_id: str | None = None) -> list[Path]:
        """Compacted files, then single ones (of one run only, if given), each in the order of their names."""
        top = self.root / folder
        name = "*" if run_id is None else run_id
        return [*sorted(top.glob("*.parquet")), *sorted(top.glob(f"task=*/technique=*/{name}.parquet"))]

    def is_single(self, path: Path) -> bool:
        """Whether a file of this store belongs to one run by its name."""
        return path.parent.name.startswith("technique=")

    def ids(self) -> frozenset[str]:
        """The runs that are stored; single files are known by name and not opened."""
        found: set[str] = set()
        for path in self.files("runs"):
            found.update([path.stem] if self.is_single(path) else self._load(path, ["run_id"])["run_id"].to_pylist())
        return frozenset(found)

    def records(self, run_ids: Collection[str] | None = None) -> list[RunRecord]:
        """Every run, or those of some ids, without predictions; sorted by task, technique, model, profile, seed, id."""
        if run_ids is None:
            return to_records(self.table())
        rows = self.rows(dict.fromkeys(path for run_id in run_ids for path in self.files("runs", run_id)))
        return to_records(rows.filter(pc.is_in(rows["run_id"], pa.array(list(run_ids), pa.string()))))

    def table(self, reduction: Reduction | None = None) -> pa.Table:
        """Every run as a row of the schema `RUNS`, or of what a reduction makes of it, sorted like `records`."""
        return self.rows(self.files("runs"), reduction)

    def frame(self) -> pd.DataFrame:
        """Every run as a row, sorted like `records`; the maps are dictionaries, the curves arrays."""
        frame: pd.DataFrame = self.table().to_pandas(maps_as_pydicts="strict")
        return frame

    def rows(self, paths: Iterable[Path], reduction: Reduction | None = None) -> pa.Table:
        """The rows that count among those of some files of runs, sorted; later files win ties."""
        plain = reduction or Reduction(tuple(RUNS.names), lambda table: table)
        empty = plain.reduce(RUNS.empty_table().select(plain.columns))
        rows = pa.concat_tables([empty, *(self._reduced(path, plain) for path in paths)]).unify_dictionaries()
        # Stable: of runs that stand several times the row with most attempts, or of equals the later file's, is last.
        order = pc.sort_indices(rows, [("run_id", "ascending"), ("attempts", "ascending")])
        ids = pc.take(rows["run_id"], order).combine_chunks()
        last = pc.not_equal(ids, pa.concat_arrays([ids[1:], pa.array([""], pa.string())[: len(ids)]]))
        counting = rows.take(order.filter(last))
        return counting.take(pc.sort_indices(counting, [(name, "ascending") for name in _ORDER])).combine_chunks()

    def predictions(self, run_id: str) -> Predictions | None:
        """What a run predicted, or None where none is stored or its file was damaged."""
        while place := self.places(self.files("predictions", run_id)).get(run_id):
            try:
                return to_predictions(read_row(place.path, PREDICTIONS, place.row))
            except Damaged as error:
                self.quarantine(error)
        return None

    def put_weights(self, record: RunRecord) -> None:
        """Keep a run's weights for techniques that pool them; a run written again without any keeps those it has."""
        if record.weights is None:
            raise BadStore(f"run {record.run_id} has no weights to store")
        weights.put(self.weights_path(record.run_id), record.weights)

    def weights_path(self, run_id: str) -> Path:
        """Where the weights of a run stand, in fp32 by name, if there are any; no part of verify, compact and merge."""
        return self.root / "weights" / f"{_checked(run_id)}.safetensors"

    def has_weights(self, run_id: str) -> bool:
        return self.weights_path(run_id).is_file()

    def drop_weights(self, run_ids: Iterable[str]) -> None:
        """Remove the weights of some runs, which need not have any."""
        for run_id in run_ids:
            weights.drop(self.weights_path(run_id))

    def places(self, paths: Iterable[Path]) -> dict[str, Place]:
        """Where the predictions that count stand among some files; later files win ties."""
        counting: dict[str, Place] = {}
        for path in paths:
            for run_id, place in self.index(path).items():
                if run_id not in counting or place.attempts >= counting[run_id].attempts:
                    counting[run_id] = place
        return counting

    def index(self, path: Path) -> dict[str, Place]:
        """The runs of one file of predictions; none if it is damaged."""
        if path in self._indices:
            return self._indices[path]
        table = self._load(path, ["run_id", "attempts"], PREDICTIONS)
        attempts = table["attempts"].to_pylist()
        index = {run_id: Place(attempts[row], path, row) for row, run_id in enumerate(table["run_id"].to_pylist())}
        # A compacted file is named by its content, so that what was read of it holds; a single one may be replaced.
        if index and not self.is_single(path):
            self._indices[path] = index
        return index

    def quarantine(self, error: Damaged) -> None:
        """Move a damaged file out of the way, keeping its relative name, and list it in `set_aside`."""
        relative = error.path.relative_to(self.root)
        target = self.root / "quarantine" / relative
        while target.exists():
            target = target.with_name(f"{target.name}.again")
        target.parent.mkdir(parents=True, exist_ok=True)
        error.path.replace(target)
        self.set_aside.append((relative.as_posix(), error.why))

    def _reduced(self, path: Path, reduction: Reduction) -> pa.Table:
        try:
            return pa.concat_tables([reduction.reduce(part) for part in batches(path, RUNS, reduction.columns, BATCH)])
        except Damaged as error:
            self.quarantine(error)
            return reduction.reduce(RUNS.empty_table().select(reduction.columns))

    def _load(self, path: Path, columns: list[str] | None = None, schema: pa.Schema = RUNS) -> pa.Table:
        try:
            return read(path, schema, columns)
        except Damaged as error:
            self.quarantine(error)
            return schema.empty_table().select(columns or schema.names)


def _checked(run_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", run_id):
        raise BadStore(f"run id is {run_id!r}; allowed: letters, digits, _ and -, at most 64")
    return run_id
