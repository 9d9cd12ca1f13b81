from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.record import RunRecord, Status
from bench_lib.report.analysis.compare import (
    Difference,
    MissingRuns,
    Pair,
    StoreComparison,
    compare_stores,
    compare_techniques,
    load,
)
from bench_lib.store import Store

Make = Callable[..., RunRecord]
Fill = Callable[..., Store]
SST2 = ("real", "minilm", "desk", "sst2")


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """A store of some records."""

    def filled(records: Iterable[RunRecord], name: str = "one") -> Store:
        store = Store(tmp_path / name)
        for record in records:
            store.append(record)
        return store

    return filled


@pytest.fixture
def across(fill: Fill) -> Callable[..., StoreComparison]:
    """What two stores of some records say of each other."""

    def compared(one: Iterable[RunRecord], other: Iterable[RunRecord]) -> StoreComparison:
        return compare_stores(load(fill(one, "one")), load(fill(other, "other")))

    return compared


@pytest.fixture
def arm(record: Make) -> Callable[..., list[RunRecord]]:
    """Runs of a technique whose scores alternate about 0.8."""

    def make(technique: str, seeds: Iterable[int], spread: float = 0.01, **changes: object) -> list[RunRecord]:
        scores = {seed: 0.8 + spread * (-1) ** seed * (1 + seed / 10) for seed in seeds}
        return [record(seed, score, technique, **changes) for seed, score in scores.items()]

    return make


Arm = Callable[..., list[RunRecord]]


def against(store: Store, one: str, other: str) -> list[Pair]:
    return compare_techniques(load(store).cells, one, other)


# ---- techniques ------------------------------------------------------------------------------------------------------


def test_two_techniques_stand_side_by_side(arm: Arm, fill: Fill, record: Make) -> None:
    runs = [*arm("adamw", range(5)), *arm("mixout", range(1, 6), 0.005, seconds=20.0), *arm("lion", range(5))]
    lost = record(6, None, "mixout", status=Status.OOM)
    (pair,) = against(fill([*runs, lost]), "mixout", "adamw")
    assert (pair.group, pair.task, pair.metric) == (("real", "minilm", "desk"), "sst2", "accuracy")
    assert (pair.one.label, pair.one.failed, pair.one.judged, pair.one.lost) == ("mixout", 0, 5, 1)
    assert pair.other.minimum == pytest.approx(0.8 - 0.01 * 1.3)
    assert pair.shared == 4
    assert pair.cost_ratio == pytest.approx(2.0)
    assert pair.mad_ratio == pytest.approx(0.5)
    assert (pair.verdict, pair.verdict_location) == ("underpowered", "open")


def test_what_is_shown_is_said(arm: Arm, fill: Fill) -> None:
    store = fill([*arm("adamw", range(22), 0.05), *arm("mixout", range(22), 0.002)])
    assert [(p.verdict, p.decided_by) for p in against(store, "mixout", "adamw")] == [("more stable", "spread")]


def test_every_task_and_group_in_common_is_a_pair(arm: Arm, fill: Fill) -> None:
    places = [{"task": "sst2"}, {"task": "imdb"}, {"source": "embedded"}]
    runs = [run for place in places for name in ("adamw", "mixout") for run in arm(name, range(3), **place)]
    found = against(fill([*runs, *arm("mixout", range(3), task="squad")]), "mixout", "adamw")
    assert [(pair.group[0], pair.task) for pair in found] == [("embedded", "sst2"), ("real", "imdb"), ("real", "sst2")]


def test_versions_are_told_apart_by_their_labels(arm: Arm, fill: Fill) -> None:
    store = fill([*arm("adamw", range(3)), *arm("lion", range(3)), *arm("lion", range(3), 0.02, version="2")])
    labels = sorted({cell.id_fields()["label"] for cell in load(store).cells} - {"adamw"})
    (pair,) = against(store, labels[0], labels[1])
    assert (pair.one.label, pair.other.label, pair.shared) == (*labels, 3)
    assert [pair.one.label for pair in against(store, "lion", "adamw")] == labels
    assert len(against(store, "adamw", "lion")) == 1


@pytest.mark.parametrize(("one", "other"), [("adamw", "adamw"), ("lion", "label")])
def test_runs_are_not_compared_with_themselves(arm: Arm, fill: Fill, one: str, other: str) -> None:
    store = fill([*arm("adamw", range(2)), *arm("lion", range(2)), *arm("lion", range(2), version="2")])
    label = next(
        cell.id_fields()["label"] for cell in load(store).cells if cell.id_fields()["label"].startswith("lion")
    )
    with pytest.raises(BenchError, match="are the same runs: name two different techniques"):
        against(store, one, label if other == "label" else other)


def test_an_unknown_technique_is_answered_with_the_nearest(arm: Arm, fill: Fill) -> None:
    with pytest.raises(UnknownName, match="unknown technique 'mixuot': did you mean 'mixout'"):
        against(fill([*arm("adamw", range(2)), *arm("mixout", range(2))]), "mixuot", "adamw")


@pytest.mark.parametrize("elsewhere", [{"task": "imdb"}, {"rate": 1e-3}, {"source": "embedded"}])
def test_nothing_in_common_is_refused(arm: Arm, fill: Fill, elsewhere: dict[str, object]) -> None:
    store = fill([*arm("adamw", range(2)), *arm("lion", range(2), **elsewhere)])
    with pytest.raises(BenchError, match=r"the same settings in common: lion was run on \w+ \(\w+, minilm"):
        against(store, "lion", "adamw")


# ---- stores ----------------------------------------------------------------------------------------------------------


def test_equal_stores_are_equal(arm: Arm, across: Callable[..., StoreComparison]) -> None:
    runs = [*arm("adamw", range(3)), *arm("mixout", range(2))]
    slower = [run.changed({"train_seconds": 99.0, "attempts": 2, "provenance": {}}) for run in runs]
    assert across(runs, slower) == StoreComparison((), (), 5, 0, (), ())


def test_runs_of_one_store_are_named(arm: Arm, across: Callable[..., StoreComparison]) -> None:
    found = across([*arm("adamw", range(5)), *arm("lion", range(2))], [*arm("adamw", (0, 1, 7)), *arm("sam", (3,))])
    assert found.equal == 2
    assert found.only_one == (
        MissingRuns((*SST2, "adamw"), (2, 3, 4), False),
        MissingRuns((*SST2, "lion"), (0, 1), True),
    )
    assert found.only_other == (MissingRuns((*SST2, "adamw"), (7,), False), MissingRuns((*SST2, "sam"), (3,), True))
    assert found.changed == ()


def test_runs_that_differ_are_named_with_what_differs(arm: Arm, across: Callable[..., StoreComparison]) -> None:
    ours = arm("adamw", range(3))
    failed = dataclasses.replace(ours[1], status="diverged", score=None)
    found = across(ours, [dataclasses.replace(ours[0], score=0.9), failed, ours[2]])
    assert (found.equal, found.lost) == (1, 0)
    name, scores = (*SST2, "adamw"), [ours[0].score, ours[1].score]
    assert found.differing == (
        Difference(ours[0].run_id, name, 0, ("score",), ("converged", "converged"), (scores[0], 0.9)),
        Difference(ours[1].run_id, name, 1, ("status", "score"), ("converged", "diverged"), (scores[1], None)),
    )


def test_a_run_that_one_machine_lost_does_not_differ(arm: Arm, across: Callable[..., StoreComparison]) -> None:
    ours = arm("adamw", range(2))
    found = across(ours, [dataclasses.replace(ours[0], status="crashed", score=None), ours[1]])
    assert (found.equal, found.lost, found.differing) == (1, 1, ())


def test_another_version_is_said_and_judged_on_the_same_seeds(arm: Arm, across: Callable[..., StoreComparison]) -> None:
    found = across(arm("lion", range(4)), arm("lion", range(2, 6), 0.02, version="2"))
    (changed,) = found.changed
    assert (changed.name, changed.settings) == ((*SST2, "lion"), ("version = 1", "version = 2"))
    assert changed.pair is not None
    assert changed.pair.shared == 2
    assert changed.pair.one.mad == pytest.approx(changed.pair.other.mad / 2, rel=0.2)


def test_other_settings_are_judged_too_and_other_seeds_are_not(
    arm: Arm, across: Callable[..., StoreComparison]
) -> None:
    ours = [*arm("lion", range(3)), *arm("sam", range(3))]
    theirs = [*arm("lion", range(3), rate=1e-3), *arm("sam", range(4, 6), rate=1e-3)]
    lion, sam = across(ours, theirs).changed
    assert lion.settings == ("profile.learning_rate = 2e-05", "profile.learning_rate = 0.001")
    assert lion.pair is not None
    assert lion.pair.shared == 3
    assert sam.pair is None


def test_an_empty_store_is_refused(arm: Arm, fill: Fill, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no runs in .*none: fill it with `stabbench run --store"):
        load(Store(tmp_path / "none"))
