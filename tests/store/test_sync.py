from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench_lib.core.errors import BadStore, BadValue
from bench_lib.core.record import RunRecord
from bench_lib.store import (
    Address,
    Claims,
    Looks,
    Sent,
    Store,
    compact,
    read_looks,
    repeats,
    store_of_repeats,
    sync,
    verify,
    write_looks,
)
from bench_lib.store.claims import COMPACTION
from tests.buckets import BROKEN, DENIED, Fault, Server

Make = Callable[..., RunRecord]


@pytest.fixture(params=["folder", "bucket"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(tmp_path / "other" if request.param == "folder" else request.getfixturevalue("bucket"))


@pytest.fixture
def remote(bucket: Address) -> Store:
    return Store(bucket)


def _content(store: Store) -> dict[str, bytes]:
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in _files(store)}


def _files(store: Store) -> list[Path | Address]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_both_hold_the_same_bytes_then_and_nothing_travels_again(store: Store, other: Store, make: Make) -> None:
    for seed in range(4):
        (store if seed % 2 else other).append(make(seed))
    store.append(make(9, status="crashed", score=None, predictions=None))
    assert sync(store, other) == (Sent(3, 0, 5), Sent(2, 0, 4))
    assert _content(store) == _content(other)
    assert len(store.ids()) == 5
    assert verify(store) == verify(other) == []
    assert sync(store, other) == sync(other, store) == (Sent(), Sent())


def test_one_way_leaves_the_first_as_it_is(store: Store, other: Store, make: Make) -> None:
    store.append(make(0))
    other.append(make(1))
    before = _content(store)
    assert sync(store, other, both_ways=False) == (Sent(1, 0, 2), Sent())
    assert _content(store) == before
    assert len(other.ids()) == 2


def test_a_later_attempt_takes_the_place_of_an_earlier_one_on_both_sides(
    store: Store, other: Store, make: Make
) -> None:
    store.append(make(0, attempts=2))
    other.append(make(0, status="crashed", score=None, predictions=None))
    store.append(make(1))
    other.append(make(1, attempts=3))
    assert sync(store, other) == (Sent(1, 0, 2), Sent(1, 0, 2))
    assert [record.attempts for record in store.records()] == [2, 3]
    assert store.records() == other.records()
    assert _content(store) == _content(other)


def test_compacted_files_travel_if_they_hold_what_is_missing(store: Store, other: Store, make: Make) -> None:
    for seed in range(3):
        store.append(make(seed))
    other.append(make(0))
    compact(store)
    assert sync(store, other) == (Sent(2, 0, 2), Sent())
    assert store.records() == other.records()
    assert verify(other) == []
    assert other.predictions(make(2).run_id) is not None
    assert sync(store, other) == (Sent(), Sent())


def test_looks_repeats_and_weights_travel_too_and_claims_do_not(store: Store, other: Store, make: Make) -> None:
    record = make(weights={"a": np.zeros(2, np.float32)})
    store.append(record)
    store_of_repeats(store, "0123abcd", 1).append(make())
    write_looks(store.root, "a", Looks((5,), 5))
    write_looks(other.root, "b", Looks((7,), 7))
    assert sync(store, other) == (Sent(1, 1, 5), Sent())
    assert other.has_weights(record.run_id)
    assert list(repeats(other)) == [record.run_id]
    assert read_looks(other.root, "a").taken == 5
    assert read_looks(store.root, "b").taken == 7
    assert not any(name.startswith("claims") for name in _content(other))


def test_predictions_that_were_set_aside_come_back(store: Store, other: Store, make: Make) -> None:
    for one in (store, other):
        one.append(make())
    path = store.path("predictions", make())
    path.write_bytes(b"damaged")
    assert store.predictions(make().run_id) is None
    assert sync(store, other) == (Sent(), Sent(0, 0, 1))
    assert store.predictions(make().run_id) is not None


def test_an_interrupted_one_goes_on_and_leaves_no_row_without_its_predictions(
    filled: Store, remote: Store, s3: Server
) -> None:
    fault = Fault("PUT", "/runs/", answer=BROKEN)
    s3.plan.faults.append(fault)
    with pytest.raises(BadStore, match="cannot be written: InternalError"):
        sync(filled, remote)
    assert not remote.ids()
    fault.times = 0
    s3.plan.requests.clear()
    assert sync(filled, remote)[0].runs == 12
    assert verify(remote) == []
    assert filled.records() == remote.records()


def test_two_buckets_and_a_folder(filled: Store, remote: Store, bucket: Address) -> None:
    second = Store(bucket.parent / "second")
    assert sync(filled, remote)[0] == Sent(12, 0, 24)
    assert sync(remote, second)[0] == Sent(12, 0, 24)
    assert _content(second) == _content(filled)


def test_a_bucket_that_refuses_writing_is_read_one_way(store: Store, remote: Store, make: Make, s3: Server) -> None:
    remote.append(make(0))
    s3.plan.faults[:] = [Fault("PUT", answer=DENIED), Fault("DELETE", answer=DENIED), Fault("POST", answer=DENIED)]
    assert sync(remote, store, both_ways=False)[0] == Sent(1, 0, 2)
    store.append(make(1))
    with pytest.raises(BadStore, match="cannot be written: AccessDenied"):
        sync(store, remote)


def test_what_is_compacted_meanwhile_or_the_same_is_refused(store: Store, other: Store, make: Make) -> None:
    store.append(make())
    with Claims(other.root, COMPACTION), pytest.raises(BadStore, match="is being compacted"):
        sync(store, other)
    with pytest.raises(BadValue, match="the other store"):
        sync(store, Store(store.root.parent / "x" / ".." / store.root.name))
