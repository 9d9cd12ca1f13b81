from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord
from bench_lib.store import Store, compact, listing, merge, verify
from bench_lib.store.damage import irregular

Make = Callable[..., RunRecord]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nothing")


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.txt").write_text("kept")


ODD = {"a named pipe": _pipe, "a symbolic link": _loop, "a symbolic  link": _dangling, "a folder": _folder}


@pytest.mark.exhaustive
@pytest.mark.parametrize("folder", ["runs", "predictions"])
@pytest.mark.parametrize("place", [".", "task=sst2/technique=adamw"])
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_regular_file_is_named_and_not_opened(filled: Store, folder: str, place: str, kind: str) -> None:
    records = filled.records()
    path = filled.root / folder / place / "x.parquet"
    ODD[kind](path)
    assert verify(filled) == [f"{path} is {' '.join(kind.split())} and no regular file"]
    one = Store(filled.root)
    assert one.records() == records
    assert all(one.predictions(record.run_id) is not None for record in records)
    compact(one)
    assert os.path.lexists(path)
    assert one.set_aside == []
    assert list(one.passed_over) == [path.relative_to(filled.root).as_posix()]


def test_a_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("x.parquet")
        assert irregular(Path("x.parquet")) == "a socket or a device and no regular file"


def test_a_link_in_place_of_a_run_is_not_followed(store: Store, make: Make, tmp_path: Path) -> None:
    store.append(make())
    (path,) = store.files("runs")
    elsewhere = path.rename(tmp_path / path.name)
    path.symlink_to(elsewhere)
    one = Store(store.root)
    assert one.ids() == frozenset()
    store.append(make())
    assert path.is_file()
    assert not path.is_symlink()
    assert Store(store.root).records() == [make()]
    assert elsewhere.exists()


@pytest.mark.parametrize("level", ["runs", "runs/task=sst2", "runs/task=sst2/technique=adamw", "predictions"])
def test_nothing_behind_a_linked_folder_is_read_written_or_removed(
    store: Store, make: Make, tmp_path: Path, level: str
) -> None:
    """A stranger's store, one of whose folders leads to somebody's own files."""
    own = Store(tmp_path / "own")
    own.append(make())
    outside = own.root / level
    linked = store.root / level
    linked.parent.mkdir(parents=True)
    linked.symlink_to(outside, target_is_directory=True)
    before = {path: path.read_bytes() for path in own.root.rglob("*") if path.is_file()}
    assert any(str(linked) in problem for problem in verify(store))
    assert store.ids() == frozenset()
    assert store.predictions(make().run_id) is None
    compact(store)
    assert merge(Store(tmp_path / "third"), store).written == 0
    with pytest.raises(BadStore, match="is a symbolic link, which a store may not hold"):
        store.append(make())
    assert {path: path.read_bytes() for path in own.root.rglob("*") if path.is_file()} == before
    assert linked.is_symlink()


@pytest.mark.parametrize("name", ["weights", "quarantine", "claims"])
def test_other_folders_of_a_store_may_not_lead_elsewhere(store: Store, make: Make, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    store.append(make())
    (store.root / name).symlink_to(tmp_path / "outside", target_is_directory=True)
    store.files("runs")[0].write_bytes(b"damaged")
    if name == "quarantine":
        assert store.records() == []
        assert "cannot be set aside" in next(iter(store.passed_over.values()))
        assert store.records() == []
    elif name == "weights":
        with pytest.raises(BadStore, match="symbolic link"):
            store.drop_weights([make().run_id])
    else:
        with pytest.raises(BadStore, match="symbolic link"):
            compact(store)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_store_that_is_a_link_itself_is_a_store(store: Store, make: Make, tmp_path: Path) -> None:
    store.append(make())
    (tmp_path / "link").symlink_to(store.root)
    linked = Store(tmp_path / "link")
    linked.append(make(1))
    assert linked.records() == store.records() == [make(0), make(1)]


def test_files_that_move_while_they_are_listed_are_all_seen(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction between the listing of compacted files and that of single ones."""
    expected = filled.ids()
    folders = listing._folders
    todo = [filled.root / "runs"]

    def compacting(top: Path, odd: dict[Path, str]) -> list[Path]:
        if top in todo:
            todo.remove(top)
            compact(Store(filled.root))
        return folders(top, odd)

    monkeypatch.setattr(listing, "_folders", compacting)
    one = Store(filled.root)
    assert {record.run_id for record in one.records()} == expected
    assert todo == []


@pytest.mark.parametrize("what", ["records", "ids", "predictions", "verify"])
def test_files_that_go_while_they_are_read_are_found_where_they_went(
    filled: Store, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = filled.ids()
    files, todo = Store.files, [True]

    def compacting(store: Store, folder: str, *more: Path | None) -> list[Path]:
        found = files(store, folder, *more)
        if todo and (what != "predictions" or folder == "predictions"):
            todo.pop()
            compact(Store(filled.root))
        return found

    monkeypatch.setattr(Store, "files", compacting)
    one = Store(filled.root)
    if what == "verify":
        assert verify(one) == []
    elif what == "predictions":
        assert all(one.predictions(run_id) is not None for run_id in expected)
    else:
        assert (one.ids() if what == "ids" else {record.run_id for record in one.records()}) == expected
    assert todo == []
    assert one.set_aside == []


def test_a_file_that_is_gone_for_good_is_one_line(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = filled.root / "runs" / "gone.parquet"
    monkeypatch.setattr(Store, "files", lambda *_: [gone])
    with pytest.raises(BadStore, match=r"gone\.parquet is not there any more"):
        filled.records()


def test_a_run_is_found_where_it_belongs_or_compacted(
    filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, missing = make(), make(9)
    places = {one.run_id: filled.path("runs", one) for one in (record, missing)}

    def attempts(run_id: str) -> int:
        return Store(filled.root).attempts(run_id, places[run_id]).get(run_id, 0)

    assert (attempts(record.run_id), attempts(missing.run_id)) == (1, 0)
    # A compaction between the two looks: what is gone from its place stands in the top folder by then.
    is_there = listing._is_there

    def compacting(path: Path, top: Path, odd: dict[Path, str]) -> bool:
        found = is_there(path, top, odd)
        compact(Store(filled.root))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(listing, "_is_there", compacting)
        assert attempts(record.run_id) == 1
    assert not places[record.run_id].exists()
    assert (attempts(record.run_id), attempts(missing.run_id)) == (1, 0)


@pytest.mark.parametrize("odd", ODD)
def test_what_stands_in_the_place_of_a_run_and_is_no_file_is_passed_over(store: Store, make: Make, odd: str) -> None:
    place = store.path("runs", make())
    place.parent.mkdir(parents=True)
    ODD[odd](place)
    assert store.attempts(make().run_id, place) == {}
    assert list(store.passed_over) == [place.relative_to(store.root).as_posix()]


def test_a_run_is_not_looked_for_behind_a_symbolic_link(filled: Store, make: Make, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    (other.root / "runs").mkdir(parents=True)
    (other.root / "runs" / "task=sst2").symlink_to(filled.root / "runs" / "task=sst2")
    assert other.attempts(make().run_id, other.path("runs", make())) == {}
