"""Where runs come from, in few words whatever their number."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench_lib.report.analysis.provenance import fingerprints, machines, provenance, variants, warnings
from bench_lib.report.analysis.runs import read
from bench_lib.report.cells import group_runs
from bench_lib.store import Store


@pytest.fixture
def made(tmp_path: Path, record: Any) -> Any:
    """The runs of a store, one seed for each provenance."""

    def build(*provenances: dict[str, str]) -> Any:
        store = Store(tmp_path / "store")
        for seed, origin in enumerate(provenances):
            store.append(dataclasses.replace(record(seed), provenance=origin))
        return read(store).frame

    return build


def test_values_are_counted_and_gaps_are_named(made: Any) -> None:
    found = provenance(made({"torch": "2.13"}, {"torch": "2.12", "cpu": "x"}, {"torch": "2.12", "cpu": "x"}))
    assert found == {"cpu": "x (2 runs), not recorded (1 runs)", "torch": "2.12 (2 runs), 2.13 (1 runs)"}


def test_many_values_are_named_by_the_first_and_the_last(made: Any) -> None:
    runs = made(*({"started": f"2026-01-0{i + 1}"} for i in range(6)))
    assert provenance(runs) == {"started": "2026-01-01 … 2026-01-06 (6 different values)"}


def test_machines_are_told_apart_by_what_decides_speed(made: Any) -> None:
    assert machines(made(*({"cpu": "x", "started": str(i)} for i in range(3)))) == 1
    runs = made(*({"cpu": str(i)} for i in range(3)))
    assert machines(runs) == 3
    assert ["several machines" in text for text in warnings(runs)] == [True]


def test_several_versions_of_a_library_are_named(made: Any) -> None:
    runs = made({"torch": "2.12", "commit": "a"}, {"torch": "2.13", "commit": "b"})
    assert warnings(runs) == ["The runs were made with several versions of torch: scores may differ by them alone."]
    assert warnings(made({"torch": "2.12", "commit": "a"}, {"torch": "2.12", "commit": "b"})) == []


def test_fingerprints_name_each_source(record: Any, frame: Any) -> None:
    table = fingerprints(frame([record(0), record(1), record(0, source="embedded")]))
    assert table.to_numpy().tolist() == [
        ["sst2", "embedded", "made", "minilm", "weights0"],
        ["sst2", "local", "data0", "minilm", "weights0"],
    ]


def test_variants_say_where_they_differ(record: Any, frame: Any) -> None:
    table = variants(group_runs(frame([record(0), record(1), record(0, rate=3e-5), record(0, technique="fgm")])))
    assert sorted(table["settings"]) == ["profile.learning_rate = 2e-05", "profile.learning_rate = 3e-05"]


def test_no_variants(sweep: Any) -> None:
    assert variants(group_runs(sweep(2))).empty
