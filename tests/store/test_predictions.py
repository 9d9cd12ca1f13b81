from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.store import Store, compact, predictions
from bench_lib.store.files import Opened, opened
from bench_lib.store.predictions import reading
from bench_lib.store.schema import VERSION
from tests.store.conftest import write_predictions

Make = Callable[..., RunRecord]


def same(found: Predictions | None, expected: Predictions | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found.values.tobytes() == expected.values.tobytes() and str(found.lengths) == str(expected.lengths)


def read(store: Store, run_ids: Iterable[str]) -> list[Predictions | None]:
    with reading(store) as predicted:
        return [predicted(run_id) for run_id in run_ids]


@pytest.mark.parametrize("compacted", ["none", "all", "some"])
def test_every_run_is_read_as_the_store_reads_it(store: Store, make: Make, compacted: str) -> None:
    tagged = Predictions(np.ones((5, 9), np.float32), np.array([3, 2]))
    runs = [make(0), make(1, task="conll2003", predictions=tagged), make(2, predictions=None), make(3)]
    for run in runs[:3]:
        store.append(run)
    if compacted != "none":
        compact(store)
    store.append(runs[3])
    if compacted == "all":
        compact(store)
    ids = [run.run_id for run in runs] + ["unknown"]
    found = read(store, ids)
    assert all(same(one, store.predictions(run_id)) for one, run_id in zip(found, ids, strict=True))
    assert [one is None for one in found] == [False, False, True, False, True]
    assert same(found[1], tagged)


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_of_a_run_in_two_files_the_same_one_counts(store: Store, make: Make, attempts: int) -> None:
    store.append(make(attempts=2))
    compact(store)
    store.append(make(attempts=attempts, predictions=Predictions(np.zeros((1, 1), np.float32))))
    (found,) = read(store, [make().run_id])
    assert same(found, store.predictions(make().run_id))


def test_a_compacted_file_is_opened_once_and_closed(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(filled)
    files: list[Opened] = []

    @contextmanager
    def watched(path: Path, schema: pa.Schema) -> Iterator[Opened]:
        with opened(path, schema) as file:
            files.append(file)
            yield file

    monkeypatch.setattr(predictions, "opened", watched)
    records = filled.records()
    with reading(filled) as predicted:
        assert all(predicted(record.run_id) is not None for record in records)
        assert len(files) == len(filled.files("predictions")) == 2
    assert all(file.file.closed for file in files)


@pytest.mark.parametrize("compacted", [False, True])
def test_damage_is_set_aside_and_another_file_is_read(store: Store, make: Make, compacted: bool) -> None:
    values = np.arange(40_000, dtype=np.float32).reshape(-1, 2)
    store.append(make(attempts=2, predictions=Predictions(values)))
    if compacted:
        compact(store)
    path = store.files("predictions")[0]
    whole = path.read_bytes()
    with reading(store) as predicted:
        path.write_bytes(whole[:1000] + bytes(3000) + whole[4000:])
        write_predictions(store, make(attempts=1, task="conll2003", run_id=make().run_id))
        found = predicted(make().run_id)
    assert same(found, make().predictions)
    assert [file for file, _ in store.set_aside] == [path.relative_to(store.root).as_posix()]


def test_an_error_of_the_caller_is_no_damage(filled: Store) -> None:
    compact(filled)

    def stop() -> None:
        with reading(filled) as predicted:
            predicted(filled.records()[0].run_id)
            raise pa.ArrowInvalid("of the caller")

    with pytest.raises(pa.ArrowInvalid, match="of the caller"):
        stop()


def test_a_newer_file_is_named(store: Store) -> None:
    path = store.root / "predictions/task=a/technique=b/c1.parquet"
    path.parent.mkdir(parents=True)
    newer = {"stabbench_schema": str(VERSION + 1)}
    pq.write_table(pa.table({"run_id": ["a"]}).replace_schema_metadata(newer), path)
    with pytest.raises(BadStore, match="upgrade stabbench"):
        read(store, ["c1"])
    assert path.exists()
    assert store.set_aside == []


def test_nothing_is_stored_nowhere(tmp_path: Path) -> None:
    assert read(Store(tmp_path / "none"), ["a"]) == [None]
