from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord
from bench_lib.store.damage import Damaged
from bench_lib.store.digest import KEY, Digests, column_digest, stamp, table_digest
from bench_lib.store.files import GROUP, batches, opened, read, read_row, stage
from bench_lib.store.schema import RUNS, VERSION, VERSION_KEY, to_table

Make = Callable[..., RunRecord]

NUMBERS = st.floats(width=64) | st.sampled_from([0.0, -0.0])
COLUMNS = st.one_of(
    st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=12)),
    st.tuples(st.just(pa.float64()), st.lists(st.none() | NUMBERS, max_size=12)),
    st.tuples(st.just(pa.string()), st.lists(st.none() | st.text(max_size=4), max_size=12)),
    st.tuples(st.just(pa.list_(pa.float64())), st.lists(st.none() | st.lists(NUMBERS, max_size=3), max_size=8)),
    st.tuples(
        st.just(pa.large_list(pa.float32())),
        st.lists(st.none() | st.lists(st.floats(width=32), max_size=3), max_size=8),
    ),
    st.tuples(
        st.just(pa.map_(pa.string(), pa.float64())),
        st.lists(st.none() | st.lists(st.tuples(st.text(max_size=3), st.floats()), max_size=3), max_size=8),
    ),
)


@settings(deadline=None, max_examples=200)
@given(COLUMNS, st.data())
def test_a_digest_depends_on_the_values_alone(column: tuple[pa.DataType, list[Any]], data: st.DataObject) -> None:
    kind, values = column
    whole = pa.array(values, kind)
    cut = data.draw(st.integers(0, len(values)))
    padded = pa.concat_arrays([whole, whole, whole])
    forms = [
        pa.chunked_array([whole]),
        pa.chunked_array([whole[:cut], whole[cut:]]),
        pa.chunked_array([padded[len(whole) : 2 * len(whole)]]),
    ]
    assert len({column_digest(form) for form in forms}) == 1


@settings(deadline=None, max_examples=200)
@given(COLUMNS, st.data())
def test_columns_that_differ_have_digests_that_differ(
    column: tuple[pa.DataType, list[Any]], data: st.DataObject
) -> None:
    kind, values = column
    if not values:
        return
    place = data.draw(st.integers(0, len(values) - 1))
    other = [*values[:place], *values[place + 1 :]]
    digests = {column_digest(pa.chunked_array([pa.array(one, kind)])) for one in (values, other, [*values, None])}
    assert len(digests) == 3


def test_what_lies_where_a_value_is_missing_does_not_count() -> None:
    mask = pa.py_buffer(b"\x05")
    arrays = [
        pa.Array.from_buffers(pa.int64(), 3, [mask, pa.py_buffer(np.array([1, hidden, 3]).tobytes())])
        for hidden in (7, 8)
    ]
    assert len({column_digest(pa.chunked_array([array])) for array in arrays}) == 1


def test_other_bits_of_one_value_are_another_digest() -> None:
    values = [0.0, -0.0, float("nan"), np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\x7f", "f8")[0]]
    assert len({column_digest(pa.chunked_array([pa.array([value], pa.float64())])) for value in values}) == 4


def test_a_digest_stays_the_same_from_release_to_release() -> None:
    table = pa.table({"a": [1, None], "b": ["x", "é"], "c": [[1.5], []]})
    assert table_digest(table).hex() == FROZEN


FROZEN = "6b48ec9da7a4cc059b6dada621a7c2c4ade4447a84971256"


def _changed(path: Path, change: Callable[[pa.Table], pa.Table], metadata: dict[bytes, bytes] | None = None) -> Path:
    """A file of other rows under the digests of the first, with other metadata if given."""
    with pq.ParquetFile(path) as file:
        kept = {key: value for key, value in file.metadata.metadata.items() if key != b"ARROW:schema"}
        table = change(file.read())
    pq.write_table(table.replace_schema_metadata({**kept, **(metadata or {})}), path, write_page_checksum=True)
    return path


def _shortened(table: pa.Table) -> pa.Table:
    """The same rows with a curve that lost its last step."""
    curve = pa.array([row[:-1] for row in table["curve_loss"].to_pylist()], RUNS.field("curve_loss").type)
    return table.set_column(table.column_names.index("curve_loss"), RUNS.field("curve_loss"), curve)


def test_every_reader_refuses_a_list_that_was_cut_short(tmp_path: Path, make: Make) -> None:
    path = _changed(stage(tmp_path, [to_table([make()])], RUNS), _shortened)
    readers: list[Callable[[], object]] = [
        lambda: read(path, RUNS),
        lambda: read(path, RUNS, ["curve_loss"]),
        lambda: read_row(path, RUNS, 0),
        lambda: list(batches(path, RUNS, ["seed", "curve_loss"], 9)),
    ]
    for reader in readers:
        with pytest.raises(Damaged, match="column curve_loss is not what was written"):
            reader()
    # What is read is what is checked.
    assert read(path, RUNS, ["seed"])["seed"].to_pylist() == [0]


@pytest.mark.parametrize("rows", [0, 2])
def test_a_row_too_few_or_too_many_is_damage_of_any_column(tmp_path: Path, make: Make, rows: int) -> None:
    path = _changed(
        stage(tmp_path, [to_table([make()])], RUNS), lambda table: pa.concat_tables([table] * rows or [table[:0]])
    )
    with pytest.raises(Damaged):
        read(path, RUNS, ["task"])


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({VERSION_KEY: b"3"}, f"says results schema 3, and its digests {VERSION}"),
        ({VERSION_KEY: b"0"}, f"says results schema 0, and its digests {VERSION}"),
        ({VERSION_KEY: b"%d" % (VERSION + 1)}, f"says results schema {VERSION + 1}, and its digests {VERSION}"),
        ({KEY: b"4:AAAA"}, "1 row groups and 3 bytes of digests"),
        ({KEY: b"4:%"}, "digests cannot be read"),
        ({KEY: b""}, "0 bytes of digests"),
    ],
)
def test_metadata_that_contradict_each_other_are_damage(
    tmp_path: Path, make: Make, metadata: dict[bytes, bytes], why: str
) -> None:
    path = _changed(stage(tmp_path, [to_table([make()])], RUNS), lambda table: table, metadata)
    with pytest.raises(Damaged, match=why):
        read(path, RUNS)


def test_a_file_of_this_version_without_digests_is_damaged(tmp_path: Path, make: Make) -> None:
    pq.write_table(to_table([make()]), tmp_path / "x.parquet")
    with pytest.raises(Damaged, match="it has no digests"):
        read(tmp_path / "x.parquet", RUNS)


def test_a_newer_file_with_its_digests_says_to_upgrade(tmp_path: Path, make: Make) -> None:
    newer = {VERSION_KEY: b"%d" % (VERSION + 1), **stamp(VERSION + 1, [bytes(8 * len(RUNS))])}
    path = _changed(stage(tmp_path, [to_table([make()])], RUNS), lambda table: table, newer)
    with pytest.raises(BadStore, match="upgrade stabbench") as caught:
        read(path, RUNS)
    assert not isinstance(caught.value, Damaged)


def test_row_groups_are_checked_one_by_one(tmp_path: Path, make: Make) -> None:
    tables = [to_table([make(seed)]) for seed in range(3)]
    path = stage(tmp_path, tables, RUNS)
    with opened(path, RUNS) as file:
        assert file.groups == 3
        assert [file.group(place, ["seed"])["seed"].to_pylist() for place in range(3)] == [[0], [1], [2]]
        whole = file.read(["seed"])
    with pq.ParquetFile(path) as parquet:
        digests = Digests.read(parquet.metadata.metadata[KEY], 3, parquet.schema_arrow.names)
    digests.check(whole[1:2], 1)
    with pytest.raises(ValueError, match="column seed"):
        digests.check(whole[1:2], 0)


def test_a_table_of_many_rows_is_read_in_row_groups_that_fit(tmp_path: Path, make: Make) -> None:
    row = to_table([make()])
    table = pa.concat_tables([row] * (GROUP + 1)).combine_chunks()
    path = stage(tmp_path, [table], RUNS, compact=True)
    parts = list(batches(path, RUNS, ["run_id"], 4000))
    assert [part.num_rows for part in parts] == [0, 4000, GROUP - 4000, 1]
    assert read(path, RUNS, ["run_id"]).num_rows == GROUP + 1
