"""Two stores made to hold the same runs: what one lacks travels there as it is, file by file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench_lib.core.errors import require
from bench_lib.store.claims import Claims
from bench_lib.store.damage import reading, writing
from bench_lib.store.files import put_in_place, put_newer, temporary
from bench_lib.store.listing import listing
from bench_lib.store.looks import merge_looks
from bench_lib.store.objects import AHEAD, Location
from bench_lib.store.parquet import Folder, Store
from bench_lib.store.repeats import FOLDER, stores_of_repeats
from bench_lib.store.schema import PREDICTIONS, RUNS


@dataclass(frozen=True)
class Sent:
    """What travelled to a store: runs, repeats of runs, and files of them in all."""

    runs: int = 0
    repeats: int = 0
    files: int = 0


def sync(one: Store, other: Store, both_ways: bool = True) -> tuple[Sent, Sent]:
    """Give each store the runs that it lacks or has of an earlier attempt; what went to the other, and what came back.

    Weights travel with their runs, predictions also alone, looks and repeats too; claims and what is set aside do not.
    What stands already is neither read again nor compared, which `merge` does. A row goes after what belongs to it,
    so that the same call goes on after an interruption. Sweeps may work on both meanwhile; nothing may compact them.
    """
    require(_whole(one.root) != _whole(other.root), "the other store", str(other.root), "another than the first")
    with Claims(one.root), Claims(other.root):
        there = _send_all(one, other)
        return there, _send_all(other, one) if both_ways else Sent()


def _whole(root: Location) -> Location:
    return root.resolve() if isinstance(root, Path) else root


def _send_all(source: Store, target: Store) -> Sent:
    runs, files = _send(source, target)
    repeats = 0
    for part in stores_of_repeats(source):
        sent = _send(part, Store(target.root / FOLDER / part.root.name))
        repeats, files = repeats + sent[0], files + sent[1]
    merge_looks(target.root, source.root)
    return Sent(runs, repeats, files)


def _send(source: Store, target: Store) -> tuple[int, int]:
    """The runs and the files that travelled."""
    ours, theirs = source.attempts(), target.attempts()
    newer = {run_id: count for run_id, count in ours.items() if count > theirs.get(run_id, 0)}
    alone = {run_id: count for run_id, count in ours.items() if theirs.get(run_id) == count} if theirs else {}
    for run_id in alone.keys() & _predicted(target):
        del alone[run_id]
    with listing(source.root):
        weights = [path for path in (source.root / "weights").glob("*.safetensors") if path.stem in newer]
    sent = _copy(source, target, weights, {}, None)
    sent += _copy(source, target, _holding(source, "predictions", newer | alone), newer | alone, PREDICTIONS)
    return len(newer), sent + _copy(source, target, _holding(source, "runs", newer), newer, RUNS)


def _predicted(store: Store) -> set[str]:
    """The runs whose predictions stand, by the names of single files."""
    files, compacted = store.listed_predictions()
    return {path.stem for path in files if store.is_single(path)} | compacted.keys()


def _holding(store: Store, folder: Folder, wanted: Mapping[str, int]) -> list[Location]:
    """The files that hold a wanted run."""
    return [path for path in store.files(folder) if not wanted.keys().isdisjoint(_held(store, folder, path))]


def _held(store: Store, folder: Folder, path: Location) -> Collection[str]:
    if store.is_single(path):
        return (path.stem,)
    return store.counted(path) if folder == "runs" else store.index(path)


def _copy(
    source: Store, target: Store, paths: Iterable[Location], attempts: Mapping[str, int], schema: pa.Schema | None
) -> int:
    """Copy files under the names that they have; returns once all of them stand there."""

    def copy(path: Location) -> None:
        place = target.root / path.relative_to(source.root).as_posix()
        with writing(place.parent), reading(path) as file:
            staged = temporary(place.parent)
            try:
                with staged.open("xb") as sink:
                    shutil.copyfileobj(file, sink)
                    sink.flush()
                    os.fsync(sink.fileno())
                if schema is not None and source.is_single(path):
                    put_newer(staged, place, schema, attempts[path.stem])
                else:
                    put_in_place(staged, place)
            finally:
                staged.unlink(missing_ok=True)

    with ThreadPoolExecutor(AHEAD, "copy") as pool:
        return sum(1 for _ in pool.map(copy, paths))
