from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.store import Claims, Store, claims, compact, merge
from bench_lib.store.claims import COMPACTION, LEASE, Holder

ELSEWHERE = Holder("another-machine/pid:[1]", 1, 1.0, "token")


@pytest.fixture
def own(store: Store) -> Iterator[Claims]:
    with Claims(store.root) as one:
        yield one


@pytest.fixture
def other(store: Store, own: Claims) -> Iterator[Claims]:
    """Another sweep, which for these tests is in the same process."""
    with Claims(store.root) as one:
        yield one


def _write(store: Store, name: str, holder: Holder | str, age: float = 0.0) -> Path:
    path = store.root / "claims" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(holder if isinstance(holder, str) else holder.write())
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_a_name_is_held_by_one_at_a_time(own: Claims, other: Claims) -> None:
    assert own.take("a1")
    assert not other.take("a1")
    assert not other.void("a1")
    assert other.take("b2")
    own.release("a1")
    assert other.void("a1")
    assert other.take("a1")
    assert not own.take("a1")


def test_a_claim_says_who_holds_it(own: Claims, store: Store) -> None:
    own.take("a1")
    said = json.loads((store.root / "claims" / "a1.json").read_text())
    assert said["pid"] == os.getpid()
    assert abs(said["started"] - psutil.Process().create_time()) < 1
    assert said["host"]


def test_only_what_is_held_is_released(own: Claims, other: Claims, store: Store) -> None:
    own.take("a1")
    other.release("a1")
    assert not other.take("a1")
    # Taken over by another process while this one was stopped.
    path = _write(store, "a1", ELSEWHERE)
    own.release("a1")
    assert path.exists()


def test_the_folder_goes_with_the_last_claim(store: Store) -> None:
    with Claims(store.root) as own:
        own.take("a1")
        own.take("b2")
        own.release("a1")
        assert (store.root / "claims").is_dir()
    assert not (store.root / "claims").exists()


def test_a_claim_of_a_process_that_was_killed_is_void_at_once(store: Store, own: Claims) -> None:
    code = f"""
import time
from pathlib import Path
from bench_lib.store import Claims
with Claims(Path({str(store.root)!r})) as own:
    print(own.take("a1"), flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not own.take("a1")
        process.send_signal(signal.SIGKILL)
        # Its parent has not asked for its exit code yet; long before the lease is over it is known to be gone.
        deadline = time.monotonic() + LEASE / 2
        while not own.take("a1"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert own.standing() == sorted(["a1", own.presence])


def test_the_number_of_a_process_that_ended_may_be_anothers(store: Store, own: Claims) -> None:
    _write(store, "a1", Holder.own()._replace(started=psutil.Process().create_time() - 999))
    assert own.take("a1")


@pytest.mark.parametrize(
    "holder", [ELSEWHERE, "", "{}", "[1]", '{"pid": 1', "\ud800".encode("utf-8", "replace").decode()]
)
def test_a_claim_from_elsewhere_or_unreadable_is_void_once_it_is_old(
    store: Store, own: Claims, holder: Holder | str
) -> None:
    path = _write(store, "a1", holder, age=LEASE - 60)
    assert not own.take("a1")
    assert path.exists()
    _write(store, "a1", holder, age=LEASE + 60)
    assert own.take("a1")


def test_a_process_that_was_stopped_for_long_loses_its_claims(own: Claims, other: Claims, store: Store) -> None:
    own.take("a1")
    _write(store, "a1", Holder.read((store.root / "claims/a1.json").read_text()) or "", age=LEASE + 60)
    assert other.take("a1")
    own.release("a1")
    assert not own.take("a1")


def test_a_void_claim_that_was_taken_meanwhile_is_put_back(own: Claims, store: Store) -> None:
    path = _write(store, "a1", ELSEWHERE)
    assert not own._break(path, Holder.own())
    assert path.read_text() == ELSEWHERE.write()
    assert sorted(one.name for one in path.parent.iterdir()) == ["a1.json", f"{own.presence}.json"]


def test_claims_are_renewed_while_they_are_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "RENEWAL", 0.01)
    with Claims(store.root) as own:
        own.take("a1")
        path = store.root / "claims" / "a1.json"
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 60
        while path.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # That of another process is its own to renew; ours is not being renewed while it takes the place.
        with own._lock:
            foreign = _write(store, "a1", ELSEWHERE, age=1000)
        time.sleep(0.1)
        assert foreign.stat().st_mtime < time.time() - 900


def test_where_no_claim_can_be_written_nothing_keeps_others_out(
    own: Claims, other: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert own.take("a1")
    own.release("a1")
    assert other.take("a1")


@pytest.mark.parametrize("action", ["compact", "merge"])
def test_nothing_is_compacted_while_it_is_filled_and_the_other_way_round(filled: Store, action: str) -> None:
    def act() -> object:
        return compact(filled) if action == "compact" else merge(filled, Store(filled.root.with_name("none")))

    with Claims(filled.root), pytest.raises(BadStore, match=rf"is being filled by a sweep \(process {os.getpid()} on "):
        act()
    with Claims(filled.root, COMPACTION):
        with pytest.raises(BadStore, match="is being compacted or merged into"):
            act()
        with (
            pytest.raises(BadStore, match=r"compacted or merged into \(process \d+ on .*try again"),
            Claims(filled.root),
        ):
            pass
    assert not (filled.root / "claims").exists()
    act()
    assert len(filled.ids()) == 12
    assert not (filled.root / "claims").exists()


def test_what_a_killed_compaction_left_bars_nobody(filled: Store) -> None:
    _write(filled, COMPACTION, Holder.own()._replace(started=1.0))
    assert compact(filled) == 12


@pytest.mark.parametrize("name", ["../x", "a/b", ""])
def test_a_name_that_is_no_file_name_is_refused(own: Claims, name: str) -> None:
    with pytest.raises(BadStore, match="run id"):
        own.take(name)


def test_what_is_claimed_is_read_without_touching_anything(store: Store) -> None:
    assert claims.claimed(store.root) == frozenset()
    assert not store.root.exists()
    with Claims(store.root) as own:
        own.take("a1")
        _write(store, "b2", ELSEWHERE)
        _write(store, "c3", ELSEWHERE, age=LEASE + 60)
        _write(store, "d4", own._held["a1"]._replace(pid=2**22 + 1))
        before = sorted(path.name for path in (store.root / "claims").iterdir())
        assert claims.claimed(store.root) == {own.presence, "a1", "b2"}
        assert sorted(path.name for path in (store.root / "claims").iterdir()) == before
