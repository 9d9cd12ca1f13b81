"""Many small files into one a task, safe against a kill at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.store.claims import COMPACTION, Claims
from bench_lib.store.damage import Damaged, writing
from bench_lib.store.files import opened, put_in_place, safe, stage
from bench_lib.store.identity import predicted
from bench_lib.store.listing import emptied, leftovers
from bench_lib.store.migrate import migrated
from bench_lib.store.objects import Address, Location, ahead
from bench_lib.store.parquet import Folder, Place, Store
from bench_lib.store.repeats import stores_of_repeats
from bench_lib.store.schema import PREDICTIONS, RUNS


def compact(store: Store, add: bool = False) -> int:
    """Merge all runs into `runs/<task>-<hash>.parquet`, predictions likewise; the number of files of runs that went.

    With `add` only single files are merged, into new files beside the compacted ones, which stay as they are. The same
    runs give the same bytes (with the same pyarrow). What is new stands whole before anything old is removed,
    so that a kill leaves duplicates at worst, which readers resolve. `BadStore` while a sweep or another compaction
    works on the store; whatever else writes to it has to wait. Its repeats are compacted as well, and not counted.
    """
    if not store.root.exists():
        return 0
    with Claims(store.root, COMPACTION):
        for part in stores_of_repeats(store):
            compact(part, add)
        return _compacted(store, add)


def _compacted(store: Store, add: bool) -> int:
    old_runs = _old(store, "runs", add)
    rows = store.rows(old_runs)
    tasks = pc.unique(rows["task"]).to_pylist()
    parts = {task: rows.filter(pc.equal(rows["task"], task)).combine_chunks() for task in tasks}
    new = _new_predictions(store, {task: part["run_id"].to_pylist() for task, part in parts.items()}, add)
    top = store.root / "runs"
    new |= {_publish(stage(top, [part], RUNS, compact=True), top, task) for task, part in parts.items()}
    spent = _spent_predictions(store, new, add)
    gone = _remove(top, [path for path in old_runs if path not in new])
    _remove(store.root / "predictions", spent)
    for top in (store.root / "runs", store.root / "predictions"):
        _remove(top, leftovers(top))
        _prune(top)
    return gone


def _old(store: Store, folder: Folder, add: bool) -> list[Location]:
    """The files to be merged."""
    return [path for path in store.files(folder) if not add or store.is_single(path)]


def _new_predictions(store: Store, run_ids: dict[str, list[str]], add: bool) -> set[Location]:
    while True:
        places = store.places(_old(store, "predictions", add))
        found = {task: [(one, places[one]) for one in ids if one in places] for task, ids in run_ids.items()}
        top = store.root / "predictions"
        try:
            return {
                _publish(stage(top, _copied(these), PREDICTIONS, compact=True), top, task)
                for task, these in found.items()
                if these
            }
        except Damaged as error:
            # Known only now that its values were read: set it aside and begin again without it.
            store.quarantine(error)


def _copied(places: list[tuple[str, Place]]) -> Iterator[pa.Table]:
    # One row group a run, so that neither this loop nor a reader of one run holds more than one in memory.
    groups = [(path, list(rows)) for path, rows in groupby(places, key=lambda found: found[1].path)]
    for path, (_, rows) in zip(ahead([path for path, _ in groups]), groups, strict=True):
        with opened(path, PREDICTIONS) as file:
            for run_id, place in rows:
                table = file.group(place.row)
                predicted(path, table, run_id, place.attempts)
                yield migrated(table, PREDICTIONS)


def _spent_predictions(store: Store, new: set[Location], add: bool) -> list[Location]:
    """Merged files whose every run stands in one that stays; predictions whose row is missing stay."""
    old = {path: store.index(path) for path in _old(store, "predictions", add) if path not in new}
    standing = store.places(path for path in store.files("predictions") if path not in old)

    def spent(run_id: str, place: Place) -> bool:
        return run_id in standing and (standing[run_id].attempts or 0) >= (place.attempts or 0)

    return [path for path, places in old.items() if all(spent(*found) for found in places.items())]


def _publish(path: Path, folder: Location, task: str) -> Location:
    with writing(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        target = folder / f"{safe(task)}-{content[:12]}.parquet"
        put_in_place(path, target)
        return target


def _remove(top: Location, paths: Sequence[Location]) -> int:
    # What was set aside while reading is no longer there.
    if isinstance(top, Address):
        standing = {*top.rglob()}
        gone = [path for path in paths if path in standing]
        with writing(top):
            top.delete(gone)
        return len(gone)
    there = [path for path in paths if path.exists()]
    for path in there:
        with writing(path.parent):
            path.unlink(missing_ok=True)
    return len(there)


def _prune(top: Location) -> None:
    for folder in emptied(top):
        # One that another process fills at this moment stays.
        with suppress(OSError):
            folder.rmdir()
