from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import Store, compact, verify

Make = Callable[..., RunRecord]


class KilledError(BaseException):
    """What stands for a kill: nothing in the code under test catches it."""


def _content(store: Store) -> dict[str, bytes]:
    return {p.relative_to(store.root).as_posix(): p.read_bytes() for p in store.root.rglob("*") if p.is_file()}


def _predicted(store: Store) -> dict[str, bytes | None]:
    found = {run_id: store.predictions(run_id) for run_id in sorted(store.ids())}
    return {run_id: None if one is None else one.values.tobytes() for run_id, one in found.items()}


def _kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the process end just before its step-th rename or removal."""
    left = [step]

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(Path, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return real(*arguments, **options)

        return wrapped

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, counted(name))


def test_compacting_keeps_every_run_and_prediction(filled: Store) -> None:
    records, predictions, ids = filled.records(), _predicted(filled), filled.ids()
    assert compact(filled) == 12
    assert sorted(path.split("-")[0] for path in _content(filled)) == [
        "predictions/conll2003",
        "predictions/sst2",
        "runs/conll2003",
        "runs/sst2",
    ]
    fresh = Store(filled.root)
    assert fresh.records() == records
    assert _predicted(fresh) == predictions
    assert fresh.ids() == ids
    assert verify(fresh) == []
    assert not list(filled.root.rglob("technique=*"))


def test_compacting_twice_changes_nothing(filled: Store) -> None:
    compact(filled)
    content = _content(filled)
    assert compact(filled) == 0
    assert _content(filled) == content


def test_the_same_runs_give_the_same_bytes_whatever_the_history(tmp_path: Path, make: Make) -> None:
    records = [make(seed, task=task) for seed in range(6) for task in ("sst2", "rte")]
    once, twice = Store(tmp_path / "once"), Store(tmp_path / "twice")
    for record in records:
        once.append(record)
    random.Random(0).shuffle(records)
    for number, record in enumerate(records):
        twice.append(record)
        if number in (4, 7):
            compact(twice)
    compact(once)
    compact(twice)
    assert _content(once) == _content(twice)


def test_an_empty_store_compacts_to_nothing(store: Store) -> None:
    assert compact(store) == 0
    assert not store.root.exists()


def test_runs_without_predictions_get_no_file_of_them(store: Store, make: Make) -> None:
    store.append(make(predictions=None, score=None, status="crashed"))
    compact(store)
    assert [path.split("-")[0] for path in _content(store)] == ["runs/sst2"]


def test_lengths_and_widths_survive(store: Store, make: Make) -> None:
    lengths = np.array([1, 3])
    store.append(make(0, predictions=Predictions(np.ones((4, 9), np.float32), lengths)))
    store.append(make(1, predictions=Predictions(np.ones((2, 3), np.float32))))
    compact(store)
    zero, one = store.predictions(make(0).run_id), store.predictions(make(1).run_id)
    assert zero is not None
    assert one is not None
    assert zero.lengths is not None
    assert (zero.values.shape, zero.lengths.tolist()) == ((4, 9), [1, 3])
    assert (one.values.shape, one.lengths) == ((2, 3), None)


def test_a_kill_at_any_step_loses_nothing(filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(filled)
    for technique in ("adamw", "mixout"):
        filled.append(make(5, technique=technique))
    records, predictions = filled.records(), _predicted(filled)
    killed = 0
    while True:
        with monkeypatch.context() as patch:
            _kill_at(patch, killed)
            try:
                compact(Store(filled.root))
                break
            except KilledError:
                # The claim of a process that was killed is void; this one lives on.
                shutil.rmtree(filled.root / "claims", ignore_errors=True)
        after = Store(filled.root)
        assert after.records() == records
        assert _predicted(after) == predictions
        assert verify(after) == []
        assert after.set_aside == []
        killed += 1
    assert killed >= 5
    assert len(_content(filled)) == 4


def test_leftovers_of_killed_writers_are_removed(filled: Store) -> None:
    for folder in ("runs", "runs/task=sst2/technique=adamw", "predictions"):
        (filled.root / folder / ".0123.tmp").write_bytes(b"half a file")
    elsewhere = filled.root / ".mine.tmp"
    elsewhere.write_bytes(b"not ours")
    compact(filled)
    assert [path for path in _content(filled) if path.endswith(".tmp")] == [".mine.tmp"]


def test_of_duplicates_the_row_that_counts_is_kept(store: Store, make: Make) -> None:
    store.append(make(attempts=3))
    compact(store)
    store.append(make(attempts=2))
    compact(store)
    assert [record.attempts for record in store.records()] == [3]
    assert len(store.files("runs")) == 1


def test_predictions_whose_row_is_missing_are_left(filled: Store) -> None:
    orphan = filled.files("runs")[0]
    orphan.unlink()
    compact(filled)
    place = orphan.relative_to(filled.root / "runs")
    assert filled.files("predictions")[-1] == filled.root / "predictions" / place
    assert filled.predictions(orphan.stem) is not None


def test_predictions_of_a_compacted_file_that_was_lost_are_left(filled: Store) -> None:
    compact(filled)
    lost = next(path for path in filled.files("runs") if path.name.startswith("sst2"))
    run_ids = set(filled.ids())
    lost.write_bytes(b"lost")
    compact(filled)
    assert len(filled.ids()) == 6
    assert all(filled.predictions(run_id) is not None for run_id in run_ids)


@pytest.mark.parametrize("folder", ["runs", "predictions"])
@pytest.mark.parametrize("where", ["end", "middle"])
def test_a_damaged_file_is_set_aside_and_the_rest_compacted(filled: Store, folder: Any, where: str) -> None:
    path = filled.files(folder)[3]
    whole = bytearray(path.read_bytes())
    place = len(whole) - 2 if where == "end" else whole.index(path.stem.encode()) + 40
    whole[place] ^= 0xFF
    path.write_bytes(whole)
    removed = compact(filled)
    assert [file for file, _ in filled.set_aside] == [path.relative_to(filled.root).as_posix()]
    assert removed == (11 if folder == "runs" else 12)
    assert len(filled.records()) == removed
    assert (filled.predictions(path.stem) is None) == (folder == "predictions")


def test_a_damaged_row_group_sets_the_compacted_predictions_aside(filled: Store, make: Make) -> None:
    compact(filled)
    (path,) = (path for path in filled.files("predictions") if path.name.startswith("sst2"))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 8] ^= 0xFF
    path.write_bytes(whole)
    filled.append(make(9))
    assert compact(filled) == 2
    assert [file for file, _ in filled.set_aside] == [f"predictions/{path.name}"]
    assert len(filled.records()) == 13
    assert filled.predictions(make(9).run_id) is not None


# ---- files are added -------------------------------------------------------------------------------------------------


def test_adding_leaves_compacted_files_as_they_are(filled: Store, make: Make) -> None:
    compact(filled)
    before = _content(filled)
    for seed in (7, 8):
        for task in ("sst2", "rte"):
            filled.append(make(seed, task=task))
    records, predictions = filled.records(), _predicted(filled)
    assert compact(filled, add=True) == 4
    after = _content(filled)
    assert {name: after[name] for name in before} == before
    assert sorted(name.split("-")[0] for name in after.keys() - before.keys()) == [
        "predictions/rte",
        "predictions/sst2",
        "runs/rte",
        "runs/sst2",
    ]
    fresh = Store(filled.root)
    assert (fresh.records(), _predicted(fresh), verify(fresh)) == (records, predictions, [])
    assert compact(fresh, add=True) == 0
    assert _content(fresh) == after
    assert compact(fresh) == 2  # those of SST-2; the one of RTE is what it would be


def test_added_files_compact_to_the_same_bytes(filled: Store, tmp_path: Path) -> None:
    once = Store(shutil.copytree(filled.root, tmp_path / "once"))
    compact(once)
    records = filled.records()
    added = Store(tmp_path / "added")
    for part in (records[:5], records[5:]):
        for record in part:
            added.append(record.changed({"predictions": filled.predictions(record.run_id)}))
        compact(added, add=True)
    compact(added)
    assert _content(added) == _content(once)


def test_a_kill_at_any_step_of_adding_loses_nothing(filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(filled)
    packed = _content(filled)
    for seed in (5, 6):
        filled.append(make(seed))
    records, predictions = filled.records(), _predicted(filled)
    killed = 0
    while True:
        with monkeypatch.context() as patch:
            _kill_at(patch, killed)
            try:
                compact(Store(filled.root), add=True)
                break
            except KilledError:
                shutil.rmtree(filled.root / "claims", ignore_errors=True)
        after = Store(filled.root)
        assert (after.records(), _predicted(after), verify(after)) == (records, predictions, [])
        assert after.set_aside == []
        killed += 1
    assert killed >= 5
    assert packed.items() <= _content(filled).items()
    assert not list(filled.root.rglob("technique=*"))


def test_a_run_that_was_tried_again_counts_in_an_added_file(store: Store, make: Make) -> None:
    store.append(make(status="crashed", score=None, predictions=None))
    compact(store)
    store.append(make(attempts=2))
    compact(store, add=True)
    (record,) = Store(store.root).records()
    assert (record.attempts, record.status) == (2, "converged")
    assert Store(store.root).predictions(record.run_id) is not None
