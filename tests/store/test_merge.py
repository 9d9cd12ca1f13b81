from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.record import RunRecord
from bench_lib.store import Merged, Store, compact, merge, verify

Make = Callable[..., RunRecord]


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.mark.parametrize("compacted", [False, True])
def test_the_runs_of_both_are_in_one_with_their_predictions(
    filled: Store, other: Store, make: Make, compacted: bool
) -> None:
    records = filled.records()
    other.append(make(0))
    other.append(make(50))
    other.append(make(51, status="crashed", score=None, predictions=None))
    if compacted:
        compact(filled)
        compact(other)
    assert merge(filled, other) == Merged(2, ())
    assert len(filled.records()) == 14
    assert [record for record in filled.records() if record.seed < 50] == records
    assert filled.predictions(make(50).run_id) is not None
    assert verify(filled) == []
    assert merge(filled, other) == Merged(0, ())


@pytest.mark.parametrize(("ours", "theirs", "kept"), [(1, 1, "ours"), (2, 1, "ours"), (1, 2, "theirs")])
def test_of_a_run_in_both_more_attempts_win_and_ours_wins_a_tie(
    store: Store, other: Store, make: Make, ours: int, theirs: int, kept: str
) -> None:
    store.append(make(attempts=ours, provenance={"host": "ours"}))
    other.append(make(attempts=theirs, provenance={"host": "theirs"}))
    compact(store)
    assert merge(store, other) == Merged(int(kept == "theirs"), ())
    assert [record.provenance["host"] for record in store.records()] == [kept]


def test_runs_that_should_agree_but_do_not_are_named(store: Store, other: Store, make: Make) -> None:
    store.append(make(score=0.5))
    other.append(make(score=0.6))
    assert merge(store, other) == Merged(0, (f"run {make().run_id} disagrees in score",))
    assert [record.score for record in store.records()] == [0.5]


def test_what_is_damaged_in_the_other_is_set_aside_there(store: Store, other: Store, make: Make) -> None:
    other.append(make(0))
    other.append(make(1))
    other.files("runs")[0].write_bytes(b"")
    assert merge(store, other).written == 1
    assert len(other.set_aside) == 1
    assert store.set_aside == []
