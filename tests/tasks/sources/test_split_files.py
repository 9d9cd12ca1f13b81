from __future__ import annotations

from pathlib import Path

import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks.sources.split_files import files_by_split, files_of


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def test_splits_are_found_as_files_and_in_shards(tmp_path: Path) -> None:
    shards = [f"data/train-0000{number}-of-00003.parquet" for number in (2, 0, 1)]
    touch(tmp_path, *shards, "dev.csv", "test.JSONL", "README.md", ".hidden.csv")
    found = files_by_split(tmp_path)
    assert found.keys() == {"train", "dev", "test"}
    assert [path.name[:11] for path in files_of("train", found)] == ["train-00000", "train-00001", "train-00002"]
    assert files_of("dev", found) == (tmp_path / "dev.csv",)
    assert files_of("validation", found) == ()
    assert files_by_split(tmp_path / "gone") == {}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train.csv", "train.parquet"), "split train is there more than once: .*train.csv, .*train.parquet"),
        (("train.csv", "data/train.csv"), "split train is there more than once"),
        (("train.csv", "train-00000-of-00001.csv"), "split train is there more than once"),
        (("train-00000-of-00002.csv",), "is incomplete: there are train-00000-of-00002.csv; all shards are needed"),
        (("train-00000-of-00002.csv", "train-00001-of-00003.csv"), "is incomplete"),
    ],
)
def test_what_is_double_or_incomplete_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadData, match=message):
        files_of("train", files_by_split(touch(tmp_path, *names)))
