"""The results folder: one immutable Parquet file a run, or compacted files; readers need not care which."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import weights
from bench_lib.store.append import append, check_writable, move_aside, tidy
from bench_lib.store.damage import Damaged, Gone, State, Unstorable, state
from bench_lib.store.files import batches, read, read_row, single_file
from bench_lib.store.identity import check_count, check_ids, check_runs, check_single, checked_id, predicted
from bench_lib.store.listing import check_inside, listed
from bench_lib.store.objects import Address, Location, ahead
from bench_lib.store.schema import PREDICTIONS, RUNS, to_records
from bench_lib.store.text import cleaned

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Folder = Literal["runs", "predictions"]

_ORDER = ("task", "technique", "model", "profile", "seed", "run_id")

KEPT = (*_ORDER, "attempts")
"""Columns by which the rows that count are found and sorted."""


BATCH = 4096
"""Rows that a reduction holds at a time."""

RELISTINGS = 50
"""How often a reader lists the files again, when one of them went while it read."""


class Reduction(NamedTuple):
    """What is to be kept of runs that are too many to be held whole.

    The columns that are read, and what they become: a row each, or none of some runs, with the columns of `KEPT`.
    """

    columns: tuple[str, ...]
    reduce: Callable[[pa.Table], pa.Table]


class Place(NamedTuple):
    """Where the predictions of a run stand: a row of a file; the attempt is None where it was not read."""

    attempts: int | None
    path: Location
    row: int


_COUNTED = Reduction(tuple(RUNS.names), lambda table: table.select(KEPT))


class Store:
    """The runs under one folder, or one address in a bucket, which need not exist yet.

    Where a run stands in several files, the row with more attempts counts, and of equals the single file. A damaged
    file is moved to `quarantine/` when it is met and listed in `set_aside` as (file, why), both relative to the root.
    What is no regular file, and damage that cannot be moved, is left where it is and listed in `passed_over`. A file of
    another schema raises `BadStore` and stays where it is. Nothing outside the root is read, written or moved.
    """

    def __init__(self, root: Location) -> None:
        if "\0" in str(root):
            raise BadStore(f"results {str(root)!r} cannot be a folder's name")
        if isinstance(root, Address):
            root.bucket  # noqa: B018  # refused here, before anything is trained
        elif os.path.lexists(root) and not root.is_dir():
            raise BadStore(f"results {root} is a file; allowed: a folder, which need not exist yet")
        self.root = root
        self.set_aside: list[tuple[str, str]] = []
        self.passed_over: dict[str, str] = {}
        self._indices: dict[Location, tuple[State, dict[str, Place]]] = {}
        self._attempts: dict[Location, tuple[State, dict[str, int]]] = {}

    def __reduce__(self) -> tuple[type[Store], tuple[Location]]:
        return Store, (self.root,)

    def append(self, record: RunRecord) -> None:
        """Write one run: first its weights and predictions, then its row, each whole or not at all.

        Text that cannot be stored is cleaned; what else is no row raises `Unstorable`, and what the system does not let
        be written `Unwritable`.
        """
        kept = cleaned(record)
        paths = self.weights_path(kept.run_id), self.path("predictions", kept), self.path("runs", kept)
        try:
            append(self.root, kept, *paths)
        except MemoryError as error:
            raise Unstorable(f"memory ran out while run {record.run_id} was stored") from error

    def check_writable(self) -> None:
        """Raise `BadStore` with the reason unless runs can be written to this store; nothing is left behind."""
        check_writable(self.root)

    def tidy(self) -> None:
        """Remove what killed writers left behind; where another process writes, it writes that again."""
        tidy(self.root)

    def path(self, folder: Folder, record: RunRecord) -> Location:
        """Where the single file of a run stands."""
        return single_file(self.root / folder, record.task, record.technique, checked_id(record.run_id))

    def files(self, folder: Folder, run_id: str | None = None, place: Location | None = None) -> list[Location]:
        """Compacted files, then single ones (of one run only, if given), each in the order of their names."""
        found = listed(self.root / folder, run_id if run_id is None else checked_id(run_id), place)
        self.passed_over.update({self._relative(path): why for path, why in found.odd.items()})
        return [path for path in found.files if not self.passed_over or self._relative(path) not in self.passed_over]

    def is_single(self, path: Location) -> bool:
        """Whether a file of this store belongs to one run by its name."""
        return path.parent.name.startswith("technique=")

    def ids(self) -> frozenset[str]:
        """The runs that are stored and can be read; each file is read once, and again only if it changes."""
        return frozenset(self.attempts())

    def attempts(self, run_id: str | None = None, place: Location | None = None) -> dict[str, int]:
        """The attempts of every run that can be read, or of one, of whose single file the place may be known."""

        def counted() -> dict[str, int]:
            found: dict[str, int] = {}
            for path in ahead(self.files("runs", run_id, place), self._attempts):
                for one, attempts in self.counted(path).items():
                    found[one] = max(attempts, found.get(one, attempts))
            return found

        return self._steady(counted)

    def records(self, run_ids: Collection[str] | None = None) -> list[RunRecord]:
        """Every run, or those of some ids, without predictions; sorted by task, technique, model, profile, seed, id."""
        if run_ids is None:
            return to_records(self.table())
        rows = self._steady(
            lambda: self.rows(dict.fromkeys(path for run_id in run_ids for path in self.files("runs", run_id)))
        )
        return to_records(rows.filter(pc.is_in(rows["run_id"], pa.array(list(run_ids), pa.string()))))

    def table(self, reduction: Reduction | None = None) -> pa.Table:
        """Every run as a row of the schema `RUNS`, or of what a reduction makes of it, sorted like `records`."""
        return self._steady(lambda: self.rows(self.files("runs"), reduction))

    def frame(self) -> pd.DataFrame:
        """Every run as a row, sorted like `records`; the maps are dictionaries, the curves arrays."""
        frame: pd.DataFrame = self.table().to_pandas(maps_as_pydicts="strict")
        return frame

    def rows(self, paths: Iterable[Location], reduction: Reduction | None = None) -> pa.Table:
        """The rows that count among those of some files of runs, sorted; later files win ties."""
        plain = reduction or Reduction(tuple(RUNS.names), lambda table: table)
        empty = plain.reduce(RUNS.empty_table().select(plain.columns))
        rows = pa.concat_tables([empty, *(self._reduced(path, plain) for path in ahead(paths))]).unify_dictionaries()
        # Stable: of runs that stand several times the row with most attempts, or of equals the later file's, is last.
        order = pc.sort_indices(rows, [("run_id", "ascending"), ("attempts", "ascending")])
        ids = pc.take(rows["run_id"], order).combine_chunks()
        last = pc.not_equal(ids, pa.concat_arrays([ids[1:], pa.array([""], pa.string())[: len(ids)]]))
        counting = rows.take(order.filter(last))
        return counting.take(pc.sort_indices(counting, [(name, "ascending") for name in _ORDER])).combine_chunks()

    def predictions(self, run_id: str) -> Predictions | None:
        """What a run predicted, or None where none is stored or its file was damaged."""

        def found() -> Predictions | None:
            while place := self.places(self.files("predictions", run_id)).get(run_id):
                try:
                    return predicted(place.path, read_row(place.path, PREDICTIONS, place.row), run_id, place.attempts)
                except Damaged as error:
                    self.quarantine(error)
            return None

        return self._steady(found)

    def put_weights(self, record: RunRecord) -> None:
        """Keep a run's weights for techniques that pool them; a run written again without any keeps those it has."""
        if record.weights is None:
            raise Unstorable(f"run {record.run_id} has no weights to store")
        weights.put(self._weights(record.run_id), record.weights)

    def weights_path(self, run_id: str) -> Location:
        """Where the weights of a run stand, in fp32 by name, if there are any; no part of verify, compact and merge."""
        return self.root / "weights" / f"{checked_id(run_id)}.safetensors"

    def has_weights(self, run_id: str) -> bool:
        path = self.weights_path(run_id)
        return path.is_file() and not path.is_symlink()

    def weights(self, run_id: str) -> dict[str, np.ndarray]:
        """The weights of a run by name; `BadStore` unless they are what was written: damage is set aside."""
        try:
            return weights.get(self._weights(run_id))
        except Damaged as error:
            self.quarantine(error)
            raise BadStore(f"the weights of run {run_id} were damaged and are set aside: {error.why}") from error

    def drop_weights(self, run_ids: Iterable[str]) -> None:
        """Remove the weights of some runs, which need not have any."""
        for run_id in run_ids:
            weights.drop(self._weights(run_id))

    def places(self, paths: Iterable[Location]) -> dict[str, Place]:
        """Where the predictions that count stand among some files; later files win ties."""
        counting: dict[str, Place] = {}
        for path in ahead(paths, self._indices):
            for run_id, place in self.index(path).items():
                if run_id not in counting or (place.attempts or 0) >= (counting[run_id].attempts or 0):
                    counting[run_id] = place
        return counting

    def listed_predictions(self) -> tuple[list[Location], dict[str, Place]]:
        """The files of predictions, and where those that count stand in compacted ones."""

        def found() -> tuple[list[Location], dict[str, Place]]:
            files = self.files("predictions")
            return files, self.places(path for path in files if not self.is_single(path))

        return self._steady(found)

    def index(self, path: Location) -> dict[str, Place]:
        """The runs of one file of predictions; none if it is damaged."""
        now = state(path)
        if self._indices.get(path, (None,))[0] == now:
            return self._indices[path][1]
        try:
            table = read(path, PREDICTIONS, ["run_id", "attempts"])
            check_ids(path, table)
            if self.is_single(path):
                check_single(path, table)
        except Damaged as error:
            self.quarantine(error)
            return {}
        attempts = table["attempts"].to_pylist()
        index = {run_id: Place(attempts[row], path, row) for row, run_id in enumerate(table["run_id"].to_pylist())}
        self._indices[path] = now, index
        return index

    def quarantine(self, error: Damaged) -> None:
        """Move a damaged file out of the way, keeping its relative name, and list it in `set_aside`.

        Where it cannot be moved it is listed in `passed_over`, and not read again.
        """
        relative = self._relative(error.path)
        try:
            if move_aside(self.root, error.path):
                self.set_aside.append((relative, error.why))
        except BadStore as refused:
            self.passed_over[relative] = f"damaged, {error.why}, and cannot be set aside: {refused}"

    def _weights(self, run_id: str) -> Location:
        path = self.weights_path(run_id)
        check_inside(self.root, path)
        return path

    def _relative(self, path: Location) -> str:
        return path.relative_to(self.root).as_posix()

    def _steady(self, found: Callable[[], T]) -> T:
        """What is found in files that are all there while they are read: they are listed again when one goes."""
        for _ in range(RELISTINGS):
            try:
                return found()
            except Gone:
                continue
        return found()

    def counted(self, path: Location) -> dict[str, int]:
        """The attempts of the runs of one file of runs."""
        now = state(path)
        if self._attempts.get(path, (None,))[0] != now:
            rows = self._reduced(path, _COUNTED)
            found: dict[str, int] = {}
            for run_id, attempts in zip(rows["run_id"].to_pylist(), rows["attempts"].to_pylist(), strict=True):
                found[run_id] = max(attempts, found.get(run_id, attempts))
            self._attempts[path] = now, found
        return self._attempts[path][1]

    def _reduced(self, path: Location, reduction: Reduction) -> pa.Table:
        single, rows, reduced = self.is_single(path), 0, []
        try:
            for part in batches(path, RUNS, reduction.columns, BATCH):
                check_runs(path, part, single)
                rows += part.num_rows
                reduced.append(reduction.reduce(part))
            if single:
                check_count(path, rows)
        except Damaged as error:
            self.quarantine(error)
            return reduction.reduce(RUNS.empty_table().select(reduction.columns))
        return pa.concat_tables(reduced)
