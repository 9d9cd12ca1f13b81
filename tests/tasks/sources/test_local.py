from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.local import holdings, read_split, split_paths

IMDB = TASKS.get("imdb")
Rows = dict[str, list[dict[str, Any]]]
Write = Callable[[str, str, list[dict[str, Any]]], Path]


def test_only_the_columns_of_the_task_are_read(write: Write, rows: Rows) -> None:
    path = write("squad", "train", rows["squad"])
    (row,) = read_split(path, TASKS.get("squad"))
    assert row == {key: value for key, value in rows["squad"][0].items() if key != "title"}


def test_a_missing_task_is_answered_with_what_is_there(write: Write, rows: Rows, tmp_path: Path) -> None:
    write("rte", "train", rows["rte"])
    with pytest.raises(BadData, match=f"no {tmp_path}/imdb, which task imdb needs .*{tmp_path} holds rte"):
        split_paths(tmp_path, IMDB, "train")


def test_a_missing_split_is_answered_with_what_is_there(write: Write, rows: Rows, tmp_path: Path) -> None:
    write("imdb", "train", rows["imdb"])
    with pytest.raises(BadData, match=r"no .*imdb/test.parquet, .*<split>.parquet.*imdb holds train.parquet"):
        split_paths(tmp_path, IMDB, "test")


def test_a_missing_folder_is_answered_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(BadData, match="holds data"):
        split_paths(tmp_path / "dta", IMDB, "train")


def test_long_listings_are_cut(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"f{number}").touch()
    assert holdings(tmp_path, limit=2).endswith("holds f0, f1 and 3 more")
    assert holdings(tmp_path / "f0") == f"there is no folder {tmp_path / 'f0'} either"


def test_a_truncated_file_is_named(write: Write, rows: Rows) -> None:
    path = write("imdb", "train", rows["imdb"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadData, match=r"imdb/train.parquet cannot be read .*expected .*columns text, label"):
        read_split(path, IMDB)


@pytest.mark.parametrize("content", [b"", b"text,label\nfine,1\n"])
def test_a_file_of_another_format_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(content)
    with pytest.raises(BadData, match=r"train.parquet cannot be read"):
        read_split(path, IMDB)


def test_damage_in_the_middle_is_named(write: Write) -> None:
    path = write("imdb", "train", [{"text": f"review {number}", "label": 0} for number in range(500)])
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    with pytest.raises(BadData, match=r"train.parquet cannot be read"):
        read_split(path, IMDB)
