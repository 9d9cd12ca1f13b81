"""Runs of different specs never share a cell, and those that differ in the seed alone always do."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Status
from bench_lib.report.cells import add_cell_ids, group_runs


def test_a_cell_holds_the_seeds_of_one_spec_in_their_order(record: Any, frame: Any) -> None:
    cells = group_runs(frame([record(2), record(0), record(1), record(0, technique="mixout")]))
    assert [c.id_fields()["label"] for c in cells] == ["adamw", "mixout"]
    assert cells[0].runs["seed"].tolist() == [0, 1, 2]


def test_the_order_of_the_rows_changes_nothing(sweep: Any) -> None:
    runs = sweep(3)
    assert add_cell_ids(runs).equals(add_cell_ids(runs.sample(frac=1, random_state=1)))


def test_hub_and_local_data_with_the_same_fingerprint_are_one_cell(record: Any, frame: Any) -> None:
    (cell,) = group_runs(frame([record(0, source="hub"), record(1, source="local")]))
    assert cell.id_fields()["data"] == "real"
    assert len(cell.runs) == 2


def test_embedded_data_are_a_group_of_their_own(record: Any, frame: Any) -> None:
    groups = [c.id_fields()["data"] for c in group_runs(frame([record(0), record(1, source="embedded")]))]
    assert groups == ["embedded", "real"]


@pytest.mark.parametrize("change", [{"rate": 3e-5}, {"fingerprint": "data1"}])
def test_another_setting_under_the_same_names_is_a_row_of_its_own(record: Any, frame: Any, change: Any) -> None:
    runs = [record(s, technique=t, **c) for s in (0, 1) for t in ("adamw", "fgm") for c in ({}, change)]
    cells = group_runs(frame(runs))
    suffixes = {c.id_fields()["setting"][:6] for c in cells}
    assert len(suffixes) == 2
    assert {c.id_fields()["label"] for c in cells} == {f"{t} ({s})" for t in ("adamw", "fgm") for s in suffixes}
    assert all(len(c.runs) == 2 for c in cells)


def test_another_version_of_a_technique_is_a_row_of_its_own_in_the_same_setting(record: Any, frame: Any) -> None:
    cells = group_runs(frame([record(0), record(0, version="2"), record(0, technique="fgm")]))
    assert len({c.id_fields()["setting"] for c in cells}) == 1
    labels = [c.id_fields()["label"] for c in cells]
    assert labels[2] == "fgm"
    assert {label[:7] for label in labels[:2]} == {"adamw ("}
    assert len(set(labels)) == 3


def test_the_name_under_which_data_were_loaded_is_no_setting(record: Any, frame: Any) -> None:
    def long_form(run: Any, name: str) -> Any:
        spec = json.loads(run.spec)
        spec["data"] = {"name": name, "fingerprint": spec["data"]}
        spec["profile_name"] = name
        return dataclasses.replace(run, spec=json.dumps(spec))

    (cell,) = group_runs(frame([long_form(record(0), "here"), long_form(record(1), "there")]))
    assert len(cell.runs) == 2


def test_every_status_is_counted_once(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 if s is Status.CONVERGED else None, status=s) for i, s in enumerate(Status)]
    (cell,) = group_runs(frame(runs))
    assert (len(cell.runs), cell.judged(), cell.failed(), len(cell.scores())) == (len(Status), 3, 2, 1)


def test_a_run_that_stands_twice_is_refused(record: Any, frame: Any) -> None:
    with pytest.raises(BadStore, match="several times"):
        group_runs(frame([record(0), record(0)]))


def test_an_unknown_status_is_refused_by_name(record: Any, frame: Any) -> None:
    with pytest.raises(BadStore, match="'exploded'; known: converged"):
        group_runs(frame([record(0, status="exploded")]))


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_a_converged_run_without_a_score_is_refused(record: Any, frame: Any, score: Any) -> None:
    with pytest.raises(BadStore, match="no finite score"):
        group_runs(frame([record(0, score), record(1)]))


@pytest.mark.parametrize("text", ["", "no json", "[1]"])
def test_a_spec_that_is_no_object_is_refused(record: Any, frame: Any, text: str) -> None:
    with pytest.raises(BadStore, match="not a JSON object"):
        group_runs(frame([dataclasses.replace(record(0), spec=text)]))
