from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord
from bench_lib.store.damage import Damaged, Gone, Unwritable
from bench_lib.store.files import read, read_row, safe, stage
from bench_lib.store.schema import RUNS, to_table

RECORD = RunRecord("a1", "a1", "sst2", "adamw", "tiny", "smoke", "embedded", 0, "{}", "crashed", "a reason " * 50)
TABLE = to_table([RECORD])


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("llrd+reinit", "llrd+reinit"),
        ("mixout:p=0.5", "mixout%3Ap=0.5"),
        ("../../etc", "..%2F..%2Fetc"),
        ("a\\b~c d%é\0", "a%5Cb%7Ec%20d%25%C3%A9%00"),
        ("", ""),
    ],
)
def test_labels_become_safe_names(label: str, name: str) -> None:
    assert safe(label) == name


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_label_leaves_its_folder(label: str) -> None:
    name = f"technique={safe(label.encode('utf-8', 'replace').decode())}"
    assert Path("root", name).parent == Path("root")
    assert len(name) < 255


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=8), st.text(st.characters(codec="utf-8"), max_size=8))
def test_labels_that_differ_have_names_that_differ(one: str, other: str) -> None:
    assert (safe(one) == safe(other)) == (one == other)


def test_long_labels_that_share_a_start_have_names_that_differ() -> None:
    assert safe("x" * 300 + "a") != safe("x" * 300 + "b")


def test_staged_tables_are_read_back_a_row_group_each(tmp_path: Path) -> None:
    path = stage(tmp_path / "deep" / "down", [TABLE, TABLE], RUNS)
    assert path.parent == tmp_path / "deep" / "down"
    assert read(path, RUNS).num_rows == 2
    assert read(path, RUNS, ["run_id"]).column_names == ["run_id"]
    assert read_row(path, RUNS, 1).equals(TABLE)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def tables() -> pa.Table:
        yield TABLE
        raise OSError("disk full")

    with pytest.raises(Unwritable, match="cannot be written: disk full"):
        stage(tmp_path, tables(), RUNS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compact", [False, True])
def test_a_file_cut_short_anywhere_is_damaged(tmp_path: Path, compact: bool) -> None:
    path = stage(tmp_path, [TABLE], RUNS, compact)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 101), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(Damaged, match="is damaged"):
            read(path, RUNS)


@pytest.mark.parametrize("compact", [False, True])
def test_a_flipped_byte_never_changes_what_is_read(tmp_path: Path, compact: bool) -> None:
    path = stage(tmp_path, [TABLE], RUNS, compact)
    whole = path.read_bytes()
    for place in range(0, len(whole), 29):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with suppress(BadStore):
            assert read(path, RUNS).equals(TABLE)


@pytest.mark.parametrize("content", [b"", b"not a parquet file\n" * 100, b"PAR1" + bytes(200) + b"PAR1"])
def test_garbage_is_damaged_and_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(Damaged) as caught:
        read(path, RUNS)
    assert caught.value.path == path
    assert caught.value.why


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(Gone, match="is not there any more"):
        read(tmp_path / "x.parquet", RUNS)


def test_a_sound_file_of_another_schema_is_not_called_damaged(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(BadStore, match="did not write this file") as caught:
        read(tmp_path / "x.parquet", RUNS)
    assert not isinstance(caught.value, Damaged)
