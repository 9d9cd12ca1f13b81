from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import Store, compact
from bench_lib.store.files import batches
from bench_lib.store.schema import RUNS, VERSION, to_table

Make = Callable[..., RunRecord]


def _newer(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"run_id": ["a"]}).replace_schema_metadata({"stabbench_schema": str(VERSION + 1)}), path)
    return path.read_bytes()


def _only(store: Store, folder: str) -> Path:
    (path,) = store.root.glob(f"{folder}/**/*.parquet")
    return path


def test_a_store_that_does_not_exist_is_empty_and_is_not_made_by_reading(store: Store) -> None:
    assert store.ids() == frozenset()
    assert store.records() == []
    assert store.predictions("a1") is None
    assert store.table().schema.equals(RUNS, check_metadata=True)
    assert list(store.frame().columns) == RUNS.names
    assert not store.root.exists()


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(BadStore, match="is a file; allowed: a folder"):
        Store(tmp_path / "results")


def test_a_run_comes_back_whole(store: Store, make: Make) -> None:
    record = make(7)
    store.append(record)
    assert Store(store.root).records() == [record]
    assert store.ids() == {record.run_id}
    found = store.predictions(record.run_id)
    assert found is not None
    assert record.predictions is not None
    assert found.values.tobytes() == record.predictions.values.tobytes()


@pytest.mark.parametrize("compacted", [False, True])
def test_some_runs_are_read_by_their_ids(store: Store, make: Make, compacted: bool) -> None:
    for seed in (3, 2, 1, 0):
        store.append(make(seed))
    if compacted:
        compact(store)
        store.append(make(2, attempts=2))
    asked = [make(seed).run_id for seed in (2, 0, 9, 2)]
    found = Store(store.root).records(asked)
    assert [(record.seed, record.attempts) for record in found] == [(0, 1), (2, 1 + compacted)]
    assert found == [record for record in store.records() if record.seed in (0, 2)]
    assert store.records([]) == []


def test_only_the_files_of_the_runs_that_are_asked_for_are_opened(store: Store, make: Make) -> None:
    store.append(make(0))
    store.append(make(1))
    store.path("runs", make(1)).write_bytes(b"damaged")
    assert [record.seed for record in store.records([make(0).run_id])] == [0]
    assert store.set_aside == []


def test_a_run_and_its_predictions_have_their_names(store: Store, make: Make) -> None:
    record = make(technique="mixout:p=0.5+llrd")
    store.append(record)
    place = f"task=sst2/technique=mixout%3Ap=0.5+llrd/{record.run_id}.parquet"
    names = {path.relative_to(store.root).as_posix() for path in store.root.rglob("*") if path.is_file()}
    assert names == {f"runs/{place}", f"predictions/{place}"}


@pytest.mark.parametrize("label", ["../../../outside", "..", ".", "/etc", "a/b", ""])
def test_no_label_leaves_the_root(store: Store, make: Make, label: str) -> None:
    store.append(make(task=label, technique=label))
    (path,) = store.files("runs")
    assert path.parent.parent.parent == store.root / "runs"
    assert [path.name for path in store.root.parent.iterdir()] == ["results"]
    assert [(record.task, record.technique) for record in store.records()] == [(label, label)]


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "*", "x" * 65])
def test_a_run_id_that_is_no_file_name_is_refused(store: Store, make: Make, run_id: str) -> None:
    with pytest.raises(BadStore, match="run id"):
        store.append(make(run_id=run_id))
    assert not store.root.exists()


def test_a_record_that_cannot_be_stored_leaves_nothing(store: Store, make: Make) -> None:
    with pytest.raises(BadStore, match="steps"):
        store.append(make(steps=1.5))
    assert not store.root.exists()


def test_the_predictions_are_written_before_the_row(store: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    replace = Path.replace

    def noted(path: Path, target: Path) -> Path:
        replaced.append(target.relative_to(store.root).parts[0])
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    store.append(make())
    assert replaced == ["predictions", "runs"]


def test_a_writer_killed_before_the_rename_leaves_nothing_to_read(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.append(make())
    assert len(list(store.root.rglob(".*.tmp"))) == 1
    assert store.ids() == frozenset()
    assert store.records() == []
    assert store.predictions(make().run_id) is None
    store.append(make())
    assert store.records() == [make()]


def test_a_run_that_is_written_again_replaces_itself(store: Store, make: Make) -> None:
    store.append(make())
    failed = make(status="crashed", score=None, attempts=3, predictions=None)
    store.append(failed)
    assert store.records() == [failed]
    assert store.predictions(failed.run_id) is None


def test_rows_are_sorted_whatever_the_order_of_writing(filled: Store) -> None:
    keys = [(record.task, record.technique, record.seed) for record in filled.records()]
    assert len(keys) == 12
    assert keys == sorted(keys)
    assert [tuple(row) for row in filled.frame()[["task", "technique", "seed"]].itertuples(index=False)] == keys


def test_seeds_are_sorted_as_numbers(store: Store, make: Make) -> None:
    for seed in (10, 9, 100):
        store.append(make(seed))
    assert [record.seed for record in store.records()] == [9, 10, 100]


def test_the_frame_has_maps_and_curves_in_use(filled: Store) -> None:
    row = filled.frame().iloc[0]
    assert row["metrics"] == {"accuracy": 0.5, "f1": 0.25}
    assert row["provenance"]["host"] == "désert"
    assert row["curve_loss"].tolist() == [0.7, 0.6, 0.5]


def test_a_diverged_run_keeps_its_infinities(store: Store, make: Make) -> None:
    curve = (0.7, math.inf, -math.inf)
    store.append(make(curve_loss=(*curve, math.nan), status="diverged", score=None, predictions=None))
    (record,) = store.records()
    assert record.curve.loss[:3] == curve
    assert math.isnan(record.curve.loss[3])


def test_predictions_keep_their_lengths(store: Store, make: Make) -> None:
    record = make(predictions=Predictions(np.ones((5, 9), np.float32), np.array([3, 2])))
    store.append(record)
    found = store.predictions(record.run_id)
    assert found is not None
    assert found.values.shape == (5, 9)
    assert found.lengths is not None
    assert found.lengths.tolist() == [3, 2]


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_of_a_run_in_two_files_more_attempts_win_and_the_single_file_wins_a_tie(
    store: Store, make: Make, attempts: int
) -> None:
    ours = make(attempts=2, provenance={"file": "compacted"})
    store.append(ours)
    compact(store)
    other = Predictions(np.zeros((1, 1), np.float32))
    store.append(make(attempts=attempts, provenance={"file": "single"}, predictions=other))
    (record,) = store.records()
    winner = "compacted" if attempts < 2 else "single"
    assert record.provenance == {"file": winner}
    found = store.predictions(ours.run_id)
    assert found is not None
    assert found.values.shape == ((6, 2) if winner == "compacted" else (1, 1))
    assert store.ids() == {ours.run_id}


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_a_damaged_run_is_set_aside_and_the_rest_is_read(filled: Store, damage: str) -> None:
    path = filled.files("runs")[0]
    whole = path.read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "garbage": b"garbage" * 999, "empty": b""}[damage]
    path.write_bytes(content)
    relative = path.relative_to(filled.root).as_posix()
    assert len(filled.records()) == 11
    ((file, why),) = filled.set_aside
    assert file == relative
    assert why
    assert not path.exists()
    assert (filled.root / "quarantine" / relative).read_bytes() == content
    assert path.stem not in filled.ids()
    assert len(filled.records()) == 11
    assert len(filled.set_aside) == 1


def test_a_damaged_compacted_file_is_set_aside_by_ids_too(filled: Store) -> None:
    compact(filled)
    path = filled.files("runs")[0]
    path.write_bytes(path.read_bytes()[:-9])
    assert len(filled.ids()) == 6
    assert [file for file, _ in filled.set_aside] == [f"runs/{path.name}"]


def test_a_file_damaged_twice_is_kept_twice(store: Store, make: Make) -> None:
    for content in (b"one", b"two"):
        store.append(make())
        store.files("runs")[0].write_bytes(content)
        assert store.records() == []
    kept = sorted((store.root / "quarantine").rglob(f"{make().run_id}.parquet*"))
    assert [path.read_bytes() for path in kept] == [b"one", b"two"]


def test_damaged_predictions_are_set_aside_and_their_run_stays(store: Store, make: Make) -> None:
    store.append(make())
    path = _only(store, "predictions")
    path.write_bytes(b"PAR1")
    assert store.predictions(make().run_id) is None
    assert [file for file, _ in store.set_aside] == [path.relative_to(store.root).as_posix()]
    assert store.records() == [make()]


def test_predictions_damaged_in_their_values_alone_are_set_aside(store: Store, make: Make) -> None:
    values = np.arange(4000, dtype=np.float32).reshape(-1, 2)
    store.append(make(predictions=Predictions(values)))
    path = _only(store, "predictions")
    path.write_bytes(path.read_bytes().replace(values[500:600].tobytes(), bytes(800)))
    assert store.predictions(make().run_id) is None
    assert len(store.set_aside) == 1


@pytest.mark.parametrize("place", ["runs/task=a/technique=b/c1.parquet", "runs/a-0123456789ab.parquet"])
def test_a_newer_file_is_named_and_left_where_it_is(filled: Store, place: str) -> None:
    path = filled.root / place
    content = _newer(path)
    with pytest.raises(BadStore, match="upgrade stabbench"):
        filled.records()
    assert path.read_bytes() == content
    assert filled.set_aside == []


def test_newer_predictions_are_named_and_left_where_they_are(store: Store) -> None:
    path = store.root / "predictions/task=a/technique=b/c1.parquet"
    content = _newer(path)
    with pytest.raises(BadStore, match="upgrade stabbench"):
        store.predictions("c1")
    assert path.read_bytes() == content


def test_a_foreign_file_is_named_and_left_where_it_is(store: Store, make: Make) -> None:
    store.append(make())
    path = store.files("runs")[0]
    pq.write_table(to_table([make()]).drop_columns(["seed"]), path)
    with pytest.raises(BadStore, match=r"missing \['seed'\]"):
        store.records()
    assert path.exists()


@pytest.mark.parametrize("compacted", [False, True])
def test_ids_are_read_once_and_again_only_where_a_file_changed(
    filled: Store, make: Make, compacted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compacted:
        compact(filled)
    opened: list[Path] = []

    def noted(path: Path, *rest: Any) -> Any:
        opened.append(path)
        return batches(path, *rest)

    monkeypatch.setattr("bench_lib.store.parquet.batches", noted)
    expected = filled.ids()
    assert expected == {record.run_id for record in Store(filled.root).records()}
    del opened[:]
    again = make(1, attempts=2, technique="mixout")
    filled.append(again)
    assert filled.ids() == expected | {again.run_id}
    assert opened == [filled.path("runs", again)]
    assert filled.attempts()[again.run_id] == 2


def test_other_files_in_the_folder_are_left_alone(filled: Store) -> None:
    (filled.root / "README.md").write_text("results")
    (filled.root / "runs" / ".gitkeep").write_text("")
    assert len(filled.records()) == 12
    assert filled.set_aside == []


def test_a_record_is_not_changed_by_storing(store: Store, make: Make) -> None:
    record = make()
    copy = dataclasses.replace(record)
    store.append(record)
    assert record == copy
