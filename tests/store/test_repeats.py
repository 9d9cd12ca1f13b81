"""A stored run that was made again is kept apart, and readers of runs do not see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord
from bench_lib.store import Merged, Store, compact, merge, verify
from bench_lib.store.repeats import differences, distinct, kind_of_machine, repeats, store_of_repeats, stores_of_repeats

Make = Callable[..., RunRecord]
HERE, THERE = {"cpu": "one", "torch": "2"}, {"cpu": "other", "torch": "2"}


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture
def repeated(filled: Store, make: Make) -> Store:
    """A store with a repeat of one of its runs."""
    store_of_repeats(filled, kind_of_machine(THERE), 1).append(make(0, score=0.6, provenance=THERE))
    return filled


def names(store: Store) -> list[str]:
    return [part.root.name for part in stores_of_repeats(store)]


@pytest.mark.parametrize("key", ["cpu", "device", "system", "kernels", "bf16", "torch"])
def test_the_kind_of_a_machine_is_what_decides_how_numbers_are_rounded(key: str) -> None:
    assert kind_of_machine(HERE) != kind_of_machine(HERE | {key: "another"})
    assert kind_of_machine(HERE) == kind_of_machine(
        HERE | {"started": "now", "cores": "8", "commit": "c", "dirty": "no"}
    )


def test_readers_of_runs_do_not_see_repeats(repeated: Store, make: Make) -> None:
    assert [record.score for record in repeated.records([make().run_id])] == [0.5]
    assert len(repeated.ids()) == 12
    assert [record.score for record in repeats(repeated)[make().run_id]] == [0.6]


def test_stores_of_repeats_are_compacted_and_verified_as_others(repeated: Store, make: Make) -> None:
    assert verify(repeated) == []
    assert compact(repeated) == 12
    (part,) = stores_of_repeats(repeated)
    assert [part.is_single(path) for path in part.files("runs")] == [False]
    assert verify(repeated) == []
    assert part.predictions(make().run_id) is not None


def test_what_is_wrong_with_repeats_is_named_with_their_store(repeated: Store, make: Make) -> None:
    (part,) = stores_of_repeats(repeated)
    part.append(make(77, provenance=THERE))
    part.append(make(1, provenance=HERE))
    assert sorted(verify(repeated)) == sorted(
        [
            f"repeats/{part.root.name}: run {make(77).run_id} repeats a run that the store does not hold",
            f"repeats/{part.root.name}: run {make(1).run_id} was made on another kind of machine than the name says",
        ]
    )
    part.files("runs")[0].write_bytes(b"")
    assert [line.startswith(f"repeats/{part.root.name}: ") for line in verify(repeated)].count(True) >= 1


def test_what_is_no_store_of_repeats_is_passed_over(repeated: Store, tmp_path: Path) -> None:
    (repeated.root / "repeats" / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (repeated.root / "repeats" / "00000000-1").symlink_to(tmp_path / "elsewhere")
    assert names(repeated) == [f"{kind_of_machine(THERE)}-1"]
    assert sorted(repeated.passed_over) == ["repeats/00000000-1", "repeats/notes.txt"]
    assert len(verify(Store(repeated.root))) == 2


def test_a_folder_of_repeats_that_leads_elsewhere_is_refused(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (filled.root / "repeats").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadStore, match="repeats is no folder of this store"):
        stores_of_repeats(filled)


def test_equal_records_of_one_kind_count_once_and_those_of_two_kinds_twice(make: Make) -> None:
    first, equal = make(provenance=HERE), make(provenance=HERE | {"started": "later"})
    elsewhere, unlike = make(provenance=THERE), make(provenance=HERE, score=0.6)
    lost = make(provenance=THERE, status="crashed", score=None)
    assert distinct([first, equal, elsewhere, unlike, lost]) == [first, elsewhere, unlike]
    assert distinct([]) == []
    assert differences(first, elsewhere) == []
    assert differences(first, unlike) == ["score"]
    assert differences(first, lost) == []


@pytest.mark.parametrize("score", [0.5, 0.6])
def test_a_run_that_both_made_on_different_machines_is_kept_as_a_repeat(
    store: Store, other: Store, make: Make, score: float
) -> None:
    store.append(make(provenance=HERE))
    other.append(make(provenance=THERE, score=score))
    assert merge(store, other) == Merged(0, (), 1)
    assert [record.provenance for record in store.records()] == [HERE]
    assert names(store) == [f"{kind_of_machine(THERE)}-1"]
    (again,) = repeats(store)[make().run_id]
    assert (again.score, again.provenance) == (score, THERE)
    assert stores_of_repeats(store)[0].predictions(again.run_id) is not None
    assert merge(store, other) == Merged(0, (), 0)
    assert verify(store) == []


def test_of_more_attempts_elsewhere_ours_becomes_the_repeat(store: Store, other: Store, make: Make) -> None:
    store.append(make(provenance=HERE))
    other.append(make(provenance=THERE, score=0.6, attempts=2))
    assert merge(store, other) == Merged(1, (), 1)
    assert [record.score for record in store.records()] == [0.6]
    assert [record.provenance for record in repeats(store)[make().run_id]] == [HERE]
    assert merge(store, other) == Merged(0, (), 0)


def test_one_kind_of_machine_that_disagrees_with_itself_is_still_named(store: Store, other: Store, make: Make) -> None:
    store.append(make(provenance=HERE))
    other.append(make(provenance=HERE, score=0.6))
    assert merge(store, other) == Merged(0, (f"run {make().run_id} disagrees in score",), 0)
    assert repeats(store) == {}


def test_repeats_are_merged_too_each_result_of_a_kind_once(repeated: Store, other: Store, make: Make) -> None:
    other.append(make(0, provenance=HERE))
    kind = kind_of_machine(THERE)
    store_of_repeats(other, kind, 1).append(make(0, score=0.6, provenance=THERE))
    store_of_repeats(other, kind, 2).append(make(0, score=0.7, provenance=THERE))
    assert merge(repeated, other) == Merged(0, (), 2)
    assert names(repeated) == sorted([f"{kind}-1", f"{kind}-2", f"{kind_of_machine(HERE)}-1"])
    assert sorted(record.score or 0 for record in repeats(repeated)[make().run_id]) == [0.5, 0.6, 0.7]
    assert merge(repeated, other) == Merged(0, (), 0)


def test_a_lost_run_is_no_repeat(store: Store, other: Store, make: Make) -> None:
    store.append(make(provenance=HERE))
    other.append(dataclasses.replace(make(provenance=THERE, status="crashed", score=None), predictions=None))
    assert merge(store, other) == Merged(0, (), 0)


def test_what_rounding_cannot_change_is_named_on_whatever_machine(store: Store, other: Store, make: Make) -> None:
    store.append(make(provenance=HERE))
    other.append(make(provenance=THERE, score=0.6, trivial_score=0.4))
    assert merge(store, other) == Merged(0, (f"run {make().run_id} disagrees in score, trivial_score",), 0)
    assert repeats(store) == {}
