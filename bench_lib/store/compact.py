"""Many small files into one a task, safe against a kill at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.store.claims import COMPACTION, Claims
from bench_lib.store.damage import Damaged, writing
from bench_lib.store.files import opened, safe, stage
from bench_lib.store.identity import predicted
from bench_lib.store.listing import emptied, leftovers
from bench_lib.store.migrate import migrated
from bench_lib.store.parquet import Place, Store
from bench_lib.store.schema import PREDICTIONS, RUNS


def compact(store: Store) -> int:
    """Merge all runs into `runs/<task>-<hash>.parquet`, predictions likewise; the number of files of runs that went.

    The same runs give the same bytes (with the same pyarrow). What is new stands whole before anything old is removed,
    so that a kill leaves duplicates at worst, which readers resolve. `BadStore` while a sweep or another compaction
    works on the store; whatever else writes to it has to wait.
    """
    if not store.root.exists():
        return 0
    with Claims(store.root, COMPACTION):
        return _compacted(store)


def _compacted(store: Store) -> int:
    old_runs = store.files("runs")
    rows = store.rows(old_runs)
    tasks = pc.unique(rows["task"]).to_pylist()
    parts = {task: rows.filter(pc.equal(rows["task"], task)).combine_chunks() for task in tasks}
    new = _new_predictions(store, {task: part["run_id"].to_pylist() for task, part in parts.items()})
    new |= {_publish(stage(store.root / "runs", [part], RUNS, compact=True), task) for task, part in parts.items()}
    spent = _spent_predictions(store, new, set(rows["run_id"].to_pylist()))
    gone = _remove([path for path in old_runs if path not in new])
    _remove(spent)
    for top in (store.root / "runs", store.root / "predictions"):
        _remove(leftovers(top))
        _prune(top)
    return gone


def _new_predictions(store: Store, run_ids: dict[str, list[str]]) -> set[Path]:
    while True:
        places = store.places(store.files("predictions"))
        found = {task: [(one, places[one]) for one in ids if one in places] for task, ids in run_ids.items()}
        top = store.root / "predictions"
        try:
            return {
                _publish(stage(top, _copied(these), PREDICTIONS, compact=True), task)
                for task, these in found.items()
                if these
            }
        except Damaged as error:
            # Known only now that its values were read: set it aside and begin again without it.
            store.quarantine(error)


def _copied(places: list[tuple[str, Place]]) -> Iterator[pa.Table]:
    # One row group a run, so that neither this loop nor a reader of one run holds more than one in memory.
    for path, rows in groupby(places, key=lambda found: found[1].path):
        with opened(path, PREDICTIONS) as file:
            for run_id, place in rows:
                table = file.group(place.row)
                predicted(path, table, run_id, place.attempts)
                yield migrated(table, PREDICTIONS)


def _spent_predictions(store: Store, new: set[Path], run_ids: set[str]) -> list[Path]:
    """Files of which every run stands in a new one; predictions whose row is missing stay."""
    old = [path for path in store.files("predictions") if path not in new]
    return [path for path in old if store.index(path).keys() <= run_ids]


def _publish(path: Path, task: str) -> Path:
    with writing(path.parent):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return path.replace(path.with_name(f"{safe(task)}-{content[:12]}.parquet"))


def _remove(paths: list[Path]) -> int:
    # What was set aside while reading is no longer there.
    there = [path for path in paths if path.exists()]
    for path in there:
        with writing(path.parent):
            path.unlink(missing_ok=True)
    return len(there)


def _prune(top: Path) -> None:
    for folder in emptied(top):
        # One that another process fills at this moment stays.
        with suppress(OSError):
            folder.rmdir()
