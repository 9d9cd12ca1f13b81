"""The predictions of many runs, from files that are opened once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pyarrow as pa

from bench_lib.core.record import Predictions
from bench_lib.store.damage import Damaged, Gone
from bench_lib.store.files import Opened, opened, read_row
from bench_lib.store.identity import predicted
from bench_lib.store.objects import Location
from bench_lib.store.parquet import Place, Store
from bench_lib.store.schema import PREDICTIONS

Reader = Callable[[str], Predictions | None]
"""What a run predicted, by its id, or None where none is stored or its file was damaged."""


@contextmanager
def reading(store: Store) -> Iterator[Reader]:
    """`Store.predictions` for many runs: what is compacted stays open, and the folders are listed once.

    Opening a file takes time for every run in it, so that a run of a compacted file of 10,000 is read 300 times as
    fast. Files that are written meanwhile are not seen.
    """
    with ExitStack() as stack:
        yield _Listed(store, stack).read


class _Listed:
    """The files of predictions of a store, as they were when they were listed."""

    def __init__(self, store: Store, stack: ExitStack) -> None:
        files, self.compacted = store.listed_predictions()
        self.store = store
        self.stack = stack
        self.singles: dict[str, list[Location]] = {}
        self.open: dict[Location, Opened] = {}
        for path in filter(store.is_single, files):
            self.singles.setdefault(path.stem, []).append(path)

    def read(self, run_id: str) -> Predictions | None:
        try:
            place = self._place(run_id)
            return None if place is None else predicted(place.path, self._row(place), run_id, place.attempts)
        except (Damaged, Gone):
            # The store reads it once more: it names the damage, sets the file aside and looks for another one.
            return self.store.predictions(run_id)

    def _place(self, run_id: str) -> Place | None:
        held, singles = self.compacted.get(run_id), self.singles.get(run_id, [])
        if not singles:  # Most runs of a large store: it looks through no files.
            return held
        if held is None and len(singles) == 1:
            return Place(None, singles[0], 0)
        single = self.store.places(singles).get(run_id)
        if single is None or held is None:
            return single or held
        return single if (single.attempts or 0) >= (held.attempts or 0) else held

    def _row(self, place: Place) -> pa.Table:
        if self.store.is_single(place.path):
            return read_row(place.path, PREDICTIONS, place.row)
        if place.path not in self.open:
            file = opened(place.path, PREDICTIONS)
            self.open[place.path] = file.__enter__()
            # Told of no error: one that the caller raises is no damage of this file.
            self.stack.callback(file.__exit__, None, None, None)
        return self.open[place.path].group(place.row)
