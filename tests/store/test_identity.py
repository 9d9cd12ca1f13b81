from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bench_lib.core.record import Predictions, RunRecord
from bench_lib.core.spec import canonical_json, digest
from bench_lib.store import Store, Unstorable, compact, merge, verify
from bench_lib.store.files import stage
from bench_lib.store.identity import contradictions
from bench_lib.store.predictions import reading
from bench_lib.store.schema import PREDICTIONS, RUNS, predictions_table, to_table
from tests.store.conftest import write_predictions, write_row

Make = Callable[..., RunRecord]


def real(**changes: Any) -> dict[str, Any]:
    """A row whose spec is as runs have it."""
    stack = [["llrd", {"decay": 0.9}, "1"], ["reinit", {}, "2"]]
    spec = canonical_json({"task": ["sst2", "1"], "stack": stack, "seed": 0, "protocol": 1})
    row = {"run_id": hashlib.sha256(spec.encode()).hexdigest()[:20], "spec": spec, "seed": 0}
    return {**row, "task": "sst2", "technique": "llrd:decay=0.9+reinit", **changes}


@pytest.mark.parametrize("technique", ["llrd+reinit", "llrd:decay=0.9+reinit", "llrd:decay=1e+20+reinit:layers=2"])
def test_a_row_as_its_spec_says_has_no_contradiction(technique: str) -> None:
    assert list(contradictions(real(technique=technique))) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": 1}, "is of seed 1, its spec of 0"),
        ({"task": "rte"}, "is of task 'rte', its spec of 'sst2'"),
        ({"technique": "llrd"}, "is of technique 'llrd', its spec of 'llrd.reinit'"),
        ({"technique": "reinit+llrd"}, "its spec of 'llrd.reinit'"),
        ({"technique": "llrdx+reinit"}, "its spec of 'llrd.reinit'"),
        ({"run_id": digest("another")}, "is not the digest of its spec"),
    ],
)
def test_what_is_not_as_the_spec_says_is_named(changes: dict[str, Any], why: str) -> None:
    (found,) = contradictions(real(**changes))
    assert found.startswith("run ")
    assert why in found.replace("+", ".")


def _no_rows(store: Store, make: Make) -> None:
    path = store.path("runs", make())
    stage(path.parent, [RUNS.empty_table()], RUNS).replace(path)


def _two_rows(store: Store, make: Make) -> None:
    path = store.path("runs", make())
    stage(path.parent, [to_table([make(), make()])], RUNS).replace(path)


def _anothers(store: Store, make: Make) -> None:
    write_row(store, make(1), store.path("runs", make()))


def _other_seed(store: Store, make: Make) -> None:
    write_row(store, make(seed=3, run_id=make().run_id, spec=make().spec))


def _doubled_key(store: Store, make: Make) -> None:
    table = to_table([make()])
    metrics = pa.array([[("accuracy", 0.5), ("accuracy", 0.9)]], RUNS.field("metrics").type)
    place = table.column_names.index("metrics")
    path = store.path("runs", make())
    stage(path.parent, [table.set_column(place, RUNS.field("metrics"), metrics)], RUNS).replace(path)


@pytest.mark.parametrize("write", [_no_rows, _two_rows, _anothers, _other_seed, _doubled_key])
def test_a_file_that_is_not_what_its_name_says_is_set_aside_and_its_run_is_missing(
    store: Store, make: Make, write: Callable[[Store, Make], None]
) -> None:
    store.append(make(5))
    write(store, make)
    path = store.path("runs", make())
    problems = verify(store)
    assert any(str(path) in problem for problem in problems)
    for read in (Store.ids, Store.records, Store.table):
        shutil.copytree(store.root, copy := store.root.with_name(f"copy-{read.__name__}"))
        one = Store(copy)
        read(one)
        assert one.ids() == {make(5).run_id}
        assert [file for file, _ in one.set_aside] == [path.relative_to(store.root).as_posix()]
        # So that it is made again.
        one.append(make())
        assert one.ids() == {make(5).run_id, make().run_id}


HOSTILE = ["../../x", "/etc/passwd", "a/b", "a\nb", "", "..", "x" * 65]


@pytest.mark.parametrize("run_id", HOSTILE)
@pytest.mark.parametrize("compacted", [False, True])
def test_nothing_outside_a_strangers_store_is_touched(
    store: Store, make: Make, tmp_path: Path, run_id: str, compacted: bool
) -> None:
    """Rows and predictions whose run id is a way out of the store, with a victim where it leads."""
    forged = make(run_id=run_id, task="../../t", technique="../..")
    victim = tmp_path / "x.parquet"
    victim.write_bytes(b"not ours")
    place = Path("sst2-0123456789ab.parquet") if compacted else Path("task=sst2/technique=adamw/x.parquet")
    write_row(store, forged, store.root / "runs" / place.with_stem("plain"))
    write_predictions(store, forged, store.root / "predictions" / place.with_stem("plain"))
    store.append(make(1))
    before = {path for path in tmp_path.rglob("*") if store.root not in path.parents}
    assert any("plain.parquet" in problem for problem in verify(store))
    third = Store(tmp_path / "third")
    assert merge(third, Store(store.root)).written == 1
    assert third.ids() == {make(1).run_id}
    compact(Store(store.root))
    with reading(Store(store.root)) as read:
        assert read(make(1).run_id) is not None
    assert Store(store.root).ids() == {make(1).run_id}
    outside = {path for path in tmp_path.rglob("*") if not {store.root, third.root} & set(path.parents)}
    assert outside == before | {third.root}
    assert victim.read_bytes() == b"not ours"


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_predictions_of_another_run_are_not_taken(store: Store, make: Make, compacted: bool, listed: bool) -> None:
    store.append(make(0))
    store.append(make(1))
    one, other = (store.path("predictions", make(seed)) for seed in (0, 1))
    shutil.copy(other, one)
    assert any(str(one) in problem for problem in verify(store))
    if compacted:
        compact(store)
    if listed:
        with reading(store) as read:
            found = read(make(0).run_id)
    else:
        found = store.predictions(make(0).run_id)
    assert found is None
    assert [file for file, _ in store.set_aside] == [one.relative_to(store.root).as_posix()]
    assert store.predictions(make(1).run_id) is not None


def _odd(record: RunRecord, **columns: Any) -> pa.Table:
    table = predictions_table(record)
    for name, value in columns.items():
        column = pa.array([value], PREDICTIONS.field(name).type)
        table = table.set_column(table.column_names.index(name), PREDICTIONS.field(name), column)
    return table


@pytest.mark.parametrize(
    "columns",
    [{"width": 0}, {"width": -2}, {"width": 5}, {"lengths": [1, 2]}, {"lengths": [9, -3]}, {"values": [1.0] * 11}],
)
def test_odd_shapes_are_damage(store: Store, make: Make, columns: dict[str, Any]) -> None:
    store.append(make())
    path = store.path("predictions", make())
    stage(path.parent, [_odd(make(), **columns)], PREDICTIONS).replace(path)
    assert any(str(path) in problem for problem in verify(store))
    for compacted in (False, True):
        one = Store(shutil.copytree(store.root, store.root.with_name(f"copy-{compacted}")))
        if compacted:
            compact(one)
        assert one.predictions(make().run_id) is None
        assert len(one.set_aside) == 1


def test_an_attempt_that_is_not_the_listed_one_is_not_taken(store: Store, make: Make) -> None:
    store.append(make(attempts=2))
    compact(store)
    with reading(store) as read:
        (path,) = store.files("predictions")
        table = predictions_table(make(attempts=3, predictions=Predictions(np.zeros((1, 2), np.float32))))
        stage(path.parent, [table], PREDICTIONS).replace(path)
        found = read(make().run_id)
    # It was replaced under the reader, which asks the store again.
    assert found is not None
    assert found.values.shape == (1, 2)


def test_a_record_that_contradicts_its_spec_is_not_written(store: Store, make: Make) -> None:
    with pytest.raises(Unstorable, match="is not the digest of its spec"):
        store.append(dataclasses.replace(make(), spec=make(1).spec))
    assert not store.root.exists()
