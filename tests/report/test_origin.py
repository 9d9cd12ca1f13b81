"""Where runs come from, in few words whatever their number."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench_lib.report.keys import gather
from bench_lib.report.origin import fingerprints, machines, provenance, variants


def at(run: Any, **provenance: str) -> Any:
    return dataclasses.replace(run, provenance=provenance)


def test_values_are_counted_and_gaps_are_named(record: Any, frame: Any) -> None:
    runs = [at(record(i), torch="2.12" if i else "2.13", **({"cpu": "x"} if i else {})) for i in range(3)]
    found = provenance(frame(runs))
    assert found == {"cpu": "x (2 runs), not recorded (1 runs)", "torch": "2.12 (2 runs), 2.13 (1 runs)"}


def test_many_values_are_named_by_the_first_and_the_last(record: Any, frame: Any) -> None:
    runs = frame([at(record(i), started=f"2026-01-0{i + 1}") for i in range(6)])
    assert provenance(runs) == {"started": "2026-01-01 … 2026-01-06 (6 different values)"}


def test_machines_are_told_apart_by_what_decides_speed(record: Any, frame: Any) -> None:
    assert machines(frame([at(record(i), cpu="x", started=str(i)) for i in range(3)])) == 1
    assert machines(frame([at(record(i), cpu=str(i)) for i in range(3)])) == 3


def test_fingerprints_name_each_source(record: Any, frame: Any) -> None:
    table = fingerprints(gather(frame([record(0), record(1), record(0, source="embedded")])))
    assert table.to_numpy().tolist() == [
        ["sst2", "embedded", "made", "minilm", "weights0"],
        ["sst2", "local", "data0", "minilm", "weights0"],
    ]


def test_variants_say_where_they_differ(record: Any, frame: Any) -> None:
    table = variants(gather(frame([record(0), record(1), record(0, rate=3e-5), record(0, technique="fgm")])))
    assert sorted(table["settings"]) == ["profile.learning_rate = 2e-05", "profile.learning_rate = 3e-05"]


def test_no_variants(sweep: Any) -> None:
    assert variants(gather(sweep(2))).empty
