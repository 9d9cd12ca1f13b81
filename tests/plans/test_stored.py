"""The cells of a plan and the rows of their runs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from bench_lib.core.record import Status
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec
from bench_lib.plans.stored import Known
from bench_lib.runner.cells import CellRuns
from bench_lib.runner.records import blank_record
from bench_lib.store import Store

ADAMW, EMA = TechniqueSpec("adamw"), TechniqueSpec("ema", observer=True)
SPEC = RunSpec("sst2", "1", Ref("embedded", "data"), (ADAMW,), Ref("tiny", "weights"), Profile(), 0, "desk")
OBSERVED = dataclasses.replace(SPEC, stack=(ADAMW, EMA))
OTHER = dataclasses.replace(SPEC, data=Ref("embedded", "other data"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    for spec, started in (
        (SPEC.at(1), "2030-01-01T12:00:00+02:00"),
        (OBSERVED.at(4), "2030-01-01"),
        (OTHER.at(2), "at noon"),
        (SPEC.at(99), ""),
    ):
        made.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), provenance={"started": started}))
    return made


def test_stored_runs_are_found_by_cell_and_seed(store: Store) -> None:
    parts = {
        "one": [CellRuns(SPEC, (1, 2, 3)), CellRuns(OBSERVED, (4, 5))],
        "two": [CellRuns(SPEC.at(7), (3, 9)), CellRuns(SPEC.at(1), (1,))],
    }
    known = Known.of(parts, store)
    plain, observed = CellRuns(SPEC, ()).key(), CellRuns(OBSERVED, ()).key()
    assert {key: seeds.tolist() for key, seeds in known.whole.items()} == {plain: [1, 2, 3, 9], observed: [4, 5]}
    assert known.parts["two"][plain].tolist() == [1, 3, 9]
    assert known.cells[observed].training == known.cells[plain].training == plain
    assert known.cells[observed].names == ("sst2", "desk", "adamw")
    # Of other data and of seeds that the plan does not have nothing counts.
    ids = [known.rows.ids[row] for row in known.rows_of(known.whole)]
    assert sorted(ids) == sorted([SPEC.at(1).run_id(), OBSERVED.at(4).run_id()])
    assert {key: seeds.tolist() for key, seeds in known.left(known.whole).items()} == {plain: [2, 3, 9], observed: [5]}


def test_dates_are_read_with_and_without_a_zone_and_others_are_none(store: Store) -> None:
    rows = Known.of({}, store).rows
    known = {run_id: float(date) for run_id, date in zip(rows.ids, rows.started, strict=True)}
    assert known[SPEC.at(1).run_id()] == 1_893_492_000.0
    assert known[OBSERVED.at(4).run_id()] == 1_893_456_000.0
    assert math.isnan(known[OTHER.at(2).run_id()])
    assert math.isnan(known[SPEC.at(99).run_id()])


def test_an_empty_plan_and_an_empty_store_have_nothing(tmp_path: Path) -> None:
    known = Known.of({"none": []}, Store(tmp_path / "results"))
    assert (known.whole, known.rows_of(known.whole).tolist(), known.left(known.whole)) == ({}, [], {})
