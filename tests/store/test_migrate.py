"""Files of earlier versions: the columns are written out here as they were, and version 2 wrote those in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import LATENCIES, RunRecord
from bench_lib.store import Merged, Store, compact, merge, verify
from bench_lib.store.files import opened, read
from bench_lib.store.migrate import OLDEST, SINCE, as_of, check_schema, migrated, recorded
from bench_lib.store.schema import PREDICTIONS, RUNS, VERSION, predictions_table, to_table

Make = Callable[..., RunRecord]

STAMP = {b"stabbench_schema": b"1"}
NEWER = {b"stabbench_schema": str(VERSION + 1).encode()}
WRITTEN = {2: Path(__file__).parent / "version_2", 3: Path(__file__).parent / "version_3"}
"""The runs of seeds 0 and 1, compacted, and that of seed 2, as the code of each version wrote them."""

SINCE_5: dict[str, object] = {"dev_score": ()}
SINCE_3: dict[str, object] = {
    "robust_score": None,
    "adversarial_score": None,
    "saved_bytes": None,
    "uncompressed_bytes": None,
    "sparsity": None,
    "reported": {},
    **dict.fromkeys(LATENCIES),
    **SINCE_5,
}
SINCE_2: dict[str, object] = {
    "curve_grad_norm_first": (),
    "curve_grad_norm_last": (),
    "grad_norm_max": None,
    "clipped_steps": None,
    "nonfinite_steps": None,
    "drift": (),
    **SINCE_3,
}
UNKNOWN: dict[int, dict[str, object]] = {1: SINCE_2, 2: SINCE_3, 3: SINCE_5}
"""What a version did not record yet, and how it comes back."""


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


def _fields(kind: pa.DataType, *names: str, nullable: bool = False) -> list[pa.Field]:
    return [pa.field(name, kind, nullable) for name in names]


COUNTS = ("steps", "tokens", "examples", "parameters", "trainable_parameters", "forward_passes", "backward_passes")
RUNS_1 = pa.schema(
    [
        *_fields(pa.string(), "run_id", "training_id", "task", "technique", "model", "profile", "data_source"),
        *_fields(pa.int64(), "seed"),
        *_fields(pa.string(), "spec", "status", "reason"),
        *_fields(pa.int64(), "attempts"),
        *_fields(pa.string(), "metric"),
        *_fields(pa.float64(), "score", "trivial_score", nullable=True),
        *_fields(pa.map_(pa.string(), pa.float64()), "metrics"),
        *_fields(pa.int64(), *COUNTS),
        *_fields(_list(pa.float64()), "curve_loss", "curve_learning_rate", "curve_grad_norm"),
        *_fields(_list(pa.int64()), "eval_step"),
        *_fields(_list(pa.float64()), "eval_score"),
        *_fields(pa.float64(), "setup_seconds", "train_seconds", "eval_seconds"),
        *_fields(pa.float64(), "tokens_per_second", "examples_per_second", nullable=True),
        *_fields(pa.int64(), "peak_memory_bytes", nullable=True),
        *_fields(pa.map_(pa.string(), pa.string()), "provenance"),
    ],
    STAMP,
)
_GRADIENTS = [
    *_fields(_list(pa.float64()), "curve_grad_norm_first", "curve_grad_norm_last"),
    *_fields(pa.float64(), "grad_norm_max", nullable=True),
    *_fields(pa.int64(), "clipped_steps", "nonfinite_steps", nullable=True),
    *_fields(_list(pa.float64()), "drift"),
]
_AT = RUNS_1.get_field_index("eval_step")
RUNS_2 = pa.schema([*list(RUNS_1)[:_AT], *_GRADIENTS, *list(RUNS_1)[_AT:]], {b"stabbench_schema": b"2"})
PREDICTIONS_1 = pa.schema(
    [
        *_fields(pa.string(), "run_id"),
        *_fields(pa.int64(), "attempts"),
        *_fields(pa.int32(), "width"),
        *_fields(pa.large_list(pa.field("element", pa.float32(), nullable=False)), "values"),
        *_fields(_list(pa.int64()), "lengths", nullable=True),
    ],
    STAMP,
)


def _write_old(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, write_page_checksum=True, row_group_size=1)


@pytest.fixture(params=[1, 2, 3])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(store: Store, make: Make, version: int) -> Store:
    """Two runs with their predictions as a version wrote them, compacted into one file, and a third in a single one."""
    if version in WRITTEN:
        shutil.copytree(WRITTEN[version], store.root)
        return store
    records = [make(seed, **SINCE_2) for seed in (0, 1)]
    _write_old(store.root / "runs/sst2-0.parquet", to_table(records).select(RUNS_1.names).cast(RUNS_1))
    predicted = pa.concat_tables([predictions_table(record) for record in records])
    _write_old(store.root / "predictions/sst2-0.parquet", predicted.cast(PREDICTIONS_1))
    single = make(2, **SINCE_2)
    _write_old(store.path("runs", single), to_table([single]).select(RUNS_1.names).cast(RUNS_1))
    _write_old(store.path("predictions", single), predictions_table(single).cast(PREDICTIONS_1))
    return store


def _stamps(store: Store) -> set[bytes]:
    files = [*store.files("runs"), *store.files("predictions")]
    return {pq.read_schema(path).metadata[b"stabbench_schema"] for path in files}


def _bits(record: RunRecord) -> bytes:
    assert record.predictions is not None
    return record.predictions.values.tobytes()


def _values(store: Store, run_id: str) -> bytes:
    found = store.predictions(run_id)
    assert found is not None
    return found.values.tobytes()


def test_the_columns_of_earlier_versions_are_what_they_were() -> None:
    assert as_of(1, RUNS).equals(RUNS_1, check_metadata=True)
    assert as_of(1, PREDICTIONS).equals(PREDICTIONS_1, check_metadata=True)
    assert as_of(2, RUNS).equals(RUNS_2, check_metadata=True)
    assert as_of(2, PREDICTIONS).equals(PREDICTIONS_1.with_metadata(RUNS_2.metadata), check_metadata=True)


def test_this_version_is_as_declared() -> None:
    assert as_of(VERSION, RUNS).equals(RUNS, check_metadata=True)
    assert SINCE.keys() == set(RUNS.names)
    assert {name for name, version in SINCE.items() if version > OLDEST} == UNKNOWN[1].keys()
    assert max(SINCE.values()) <= VERSION


def test_runs_of_an_earlier_version_come_back_with_the_rest_unknown(old: Store, make: Make, version: int) -> None:
    assert _stamps(old) == {str(version).encode()}
    assert old.records() == [make(seed, **UNKNOWN[version]) for seed in (0, 1, 2)]
    assert old.ids() == {make(seed).run_id for seed in (0, 1, 2)}
    assert old.table().schema.equals(RUNS, check_metadata=True)
    assert verify(old) == []
    assert _values(old, make(1).run_id) == _bits(make(1))


def test_reading_changes_no_file(old: Store) -> None:
    before = {path: path.read_bytes() for path in old.root.rglob("*.parquet")}
    old.records()
    verify(old)
    assert {path: path.read_bytes() for path in old.root.rglob("*.parquet")} == before
    assert old.set_aside == []


def test_runs_of_both_versions_stand_side_by_side(old: Store, make: Make, version: int) -> None:
    old.append(make(2, attempts=2))
    old.append(make(3))
    unknown = UNKNOWN[version].get("sparsity", 0.5)
    assert [record.size.sparsity for record in old.records()] == [unknown, unknown, 0.5, 0.5]
    assert verify(old) == []


def test_compacting_writes_this_version(old: Store, make: Make) -> None:
    records = old.records()
    assert compact(old) == 2
    assert _stamps(old) == {str(VERSION).encode()}
    assert old.records() == records
    assert verify(old) == []
    assert _values(old, make(2).run_id) == _bits(make(2))


def test_compacted_bytes_do_not_tell_the_version_that_they_came_from(
    old: Store, make: Make, version: int, tmp_path: Path
) -> None:
    new = Store(tmp_path / "new")
    for seed in (0, 1, 2):
        new.append(make(seed, **UNKNOWN[version]))
    found = []
    for one in (old, new):
        compact(one)
        found.append({path.relative_to(one.root): path.read_bytes() for path in one.root.rglob("*.parquet")})
    assert found[0] == found[1]


def test_an_earlier_store_is_merged_and_unknown_is_no_disagreement(
    old: Store, make: Make, version: int, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other")
    other.append(make(0))
    assert merge(other, old) == Merged(2, ())
    unknown = UNKNOWN[version].get("sparsity", 0.5)
    assert [record.size.sparsity for record in other.records()] == [0.5, unknown, unknown]
    assert _values(other, make(2).run_id) == _bits(make(2))


def test_columns_are_read_by_name_whatever_the_version(old: Store, version: int) -> None:
    path = old.files("runs")[0]
    drift = [] if version == 1 else [0.0, 0.125]
    assert read(path, RUNS, ["drift", "seed"]).to_pydict() == {"drift": [drift] * 2, "seed": [0, 1]}
    latency, reported = (None, []) if version < 3 else (0.001, [("adalora.rank", 1.5), ("dedupe.removed", 3.0)])
    found = read(path, RUNS, ["latency_1", "reported"]).to_pydict()
    assert found == {"latency_1": [latency] * 2, "reported": [reported] * 2}


def test_what_is_there_stays_as_it_is_and_nothing_is_cast() -> None:
    table = pa.table({"seed": pa.array([1], pa.int32())})
    wanted = pa.schema([pa.field("drift", _list(pa.float64()), nullable=False), pa.field("seed", pa.int64())])
    found = migrated(table, wanted)
    assert found.schema.field("seed").type == pa.int32()
    assert found["seed"].chunk(0).buffers()[1].address == table["seed"].chunk(0).buffers()[1].address
    assert not found.schema.field("drift").nullable


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("drift", (), False),
        ("drift", (0.0,), True),
        ("clipped_steps", None, False),
        ("clipped_steps", 0, True),
        ("robust_score", None, False),
        ("robust_score", 0.0, True),
        ("reported", {}, False),
        ("score", None, True),
        ("curve_loss", (), True),
    ],
)
def test_only_what_was_added_can_be_unknown(name: str, value: object, known: bool) -> None:
    assert recorded(name, value) == known


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_newer_schema_says_to_upgrade() -> None:
    newer = pa.schema([pa.field("anything", pa.int64())], NEWER)
    says = rf"runs/x\.parquet has results schema {VERSION + 1}, .* up to {VERSION}: upgrade stabbench"
    with pytest.raises(BadStore, match=says):
        check_schema(newer, RUNS, "runs/x.parquet")


@pytest.mark.parametrize("metadata", [None, {}, {b"stabbench_schema": b"0"}, {b"stabbench_schema": b"\xff"}])
def test_a_file_of_no_known_version_is_refused(metadata: dict[bytes, bytes] | None) -> None:
    with pytest.raises(BadStore, match=f"expected 1 to {VERSION}: stabbench did not write this file"):
        check_schema(RUNS.with_metadata(metadata), RUNS, "x")


@pytest.mark.parametrize("declared", [RUNS, RUNS_1, RUNS_2])
def test_other_columns_are_refused_by_name(declared: pa.Schema) -> None:
    fields = [field for field in declared if field.name != "seed"]
    fields = [pa.field("score", pa.string()) if field.name == "score" else field for field in fields]
    found = pa.schema([*fields, pa.field("extra", pa.int64())], declared.metadata)
    with pytest.raises(BadStore, match=r"missing \['seed'\], unknown \['extra'\], of another type \['score'\]"):
        check_schema(found, RUNS, "x")


def test_a_stamp_and_the_columns_of_another_version_are_refused() -> None:
    with pytest.raises(BadStore, match=r"columns of results schema 1: missing \[\], unknown \['adversarial_score', "):
        check_schema(RUNS.with_metadata(STAMP), RUNS, "x")
    with pytest.raises(BadStore, match=r"columns of results schema 2: missing \['clipped_steps', .*, unknown \[\]"):
        check_schema(RUNS_1.with_metadata(RUNS_2.metadata), RUNS, "x")
    with pytest.raises(BadStore, match=r"columns of results schema 5: missing \['adversarial_score', .*, unknown \[\]"):
        check_schema(RUNS_2.with_metadata(RUNS.metadata), RUNS, "x")


@pytest.mark.parametrize("declared", [RUNS, RUNS_1, RUNS_2])
def test_columns_in_another_order_are_refused(declared: pa.Schema) -> None:
    with pytest.raises(BadStore, match="in another order"):
        check_schema(pa.schema(list(declared)[::-1], declared.metadata), RUNS, "x")


def test_an_earlier_version_with_another_type_is_refused_and_left(old: Store, version: int) -> None:
    path = old.files("runs")[0]
    table = pq.read_table(path)
    seeds = table["seed"].cast(pa.int32())
    pq.write_table(table.set_column(table.column_names.index("seed"), "seed", seeds), path)
    says = rf"results schema {version}: .* of another type \['seed'\]"
    with pytest.raises(BadStore, match=says), opened(path, RUNS):
        pass
    with pytest.raises(BadStore, match="another type"):
        old.records()
    assert path.exists()
