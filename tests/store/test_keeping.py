from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadStore, Unwritten
from bench_lib.core.record import RunRecord
from bench_lib.store import Keeper, Store, Unstorable, append, files, merge, verify

Make = Callable[..., RunRecord]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The folders that are full; whatever is written below one raises."""
    full: list[Path] = []
    write = files._write

    def written(sink: Any, *rest: Any) -> None:
        if any(folder in Path(sink.name).parents for folder in full):
            sink.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(sink, *rest)

    monkeypatch.setattr(files, "_write", written)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    return full


def _keep(store: Store, *records: RunRecord, interrupt: bool = False) -> None:
    with Keeper(store) as keeper:
        for record in records:
            keeper.add(record)
        if interrupt:
            raise KeyboardInterrupt


def test_what_the_disk_refuses_is_written_when_there_is_room(store: Store, make: Make, disk: list[Path]) -> None:
    with Keeper(store) as keeper:
        keeper.add(make(0))
        disk.append(store.root)
        keeper.add(make(1))
        keeper.add(make(2))
        assert [record.seed for record in keeper.held] == [1, 2]
        assert [record.seed for record in store.records()] == [0]
        disk.clear()
        keeper.add(make(3))
        assert keeper.held == []
    assert store.records() == [make(seed) for seed in range(4)]
    assert verify(store) == []


def test_what_is_held_at_the_end_is_tried_once_more(store: Store, make: Make, disk: list[Path]) -> None:
    with Keeper(store) as keeper:
        disk.append(store.root)
        keeper.add(make(0))
        disk.clear()
    assert store.records() == [make(0)]


def test_what_never_finds_room_is_kept_in_a_store_of_its_own(store: Store, make: Make, disk: list[Path]) -> None:
    disk.append(store.root)
    with pytest.raises(Unwritten, match=r"No space left on device; 2 runs are kept in .*store merge") as caught:
        _keep(store, make(0), make(1))
    disk.clear()
    place = re.search(r"kept in (\S+),", str(caught.value))
    assert place is not None
    assert merge(store, Store(Path(place[1]))).written == 2
    assert store.records() == [make(0), make(1)]
    assert store.predictions(make(1).run_id) is not None


def test_an_interrupted_sweep_keeps_what_is_held_too(store: Store, make: Make, disk: list[Path]) -> None:
    disk.append(store.root)
    with pytest.raises(Unwritten, match="1 runs are kept in") as caught:
        _keep(store, make(0), interrupt=True)
    assert isinstance(caught.value.__context__, KeyboardInterrupt)


def test_the_next_folder_is_taken_where_the_first_is_full(
    store: Store, make: Make, disk: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    disk += [store.root, tmp_path / "elsewhere"]
    with pytest.raises(Unwritten, match="home/stabbench-"):
        _keep(store, make(0))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_record_that_is_no_row_is_not_held(store: Store, make: Make) -> None:
    with Keeper(store) as keeper:
        with pytest.raises(Unstorable):
            keeper.add(make(reported={"a.b": "text"}))
        assert keeper.held == []


def test_a_store_that_can_be_written_is_left_as_it_was(store: Store, filled: Store) -> None:
    before = sorted(filled.root.rglob("*"))
    filled.check_writable()
    assert sorted(filled.root.rglob("*")) == before
    new = Store(filled.root.parent / "a" / "b")
    new.check_writable()
    assert not (filled.root.parent / "a").exists()


def _below_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root.parent.mkdir(parents=True, exist_ok=True)
    (root.parent / "file").write_text("")
    return root.parent / "file" / "below"


def _read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    root.mkdir(parents=True)
    monkeypatch.setattr(Path, "open", refused)
    return root


def _full(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refused(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(append.os, "fsync", refused)
    return root


def _too_long(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return root / ("x" * 300)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_below_a_file, "Not a directory"),
        (_read_only, "Read-only file system"),
        (_full, "No space left on device"),
        (_too_long, "File name too long"),
    ],
)
def test_a_store_that_cannot_be_written_says_why_and_is_left_as_it_was(
    store: Store, spoil: Callable[..., Path], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = spoil(store.root, monkeypatch)
    with pytest.raises(BadStore, match=f"cannot be written: {why}"):
        Store(root).check_writable()
    monkeypatch.undo()
    assert not [path for path in store.root.rglob("*") if path.is_file()]


def test_a_name_with_a_null_in_it_is_no_store() -> None:
    with pytest.raises(BadStore, match="cannot be a folder's name"):
        Store(Path("a\0b"))
