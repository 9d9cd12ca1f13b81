"""Figures in little room: of seeds the places of the runs, of others the columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.figure import Figure
from bench_lib.report.html.figures import MANY, Runs, indexed, packed, view_of

PLACE = ("real", "minilm", "desk")


def figure(kind: str, data: pd.DataFrame, *task: str) -> Figure:
    """A figure of a group, or of a task of it, under a name that says nothing of either."""
    place = (*PLACE, *task)
    return Figure("cost-real-other", "A title", "What is to be seen.", {"mark": "point"}, data, kind, place)


@pytest.fixture
def runs() -> Runs:
    """Three runs of one cell and two of another."""
    places = {run: place for place, run in enumerate(["a0", "a1", "a2", "b0", "b1"])}
    return Runs(places, (0, 0, 0, 1, 1), ("a", "b"))


def seeds(ids: list[str], **columns: Any) -> pd.DataFrame:
    table = pd.DataFrame(
        {"technique": [one[0] for one in ids], "seed": 0, "score": 80.0, "status": "converged", "run": ids}
    )
    return table.assign(**columns)


def test_seeds_are_told_by_the_places_of_their_runs(runs: Runs) -> None:
    told = packed(figure("seeds", seeds(["b0", "b1", "a0", "a1", "a2"])), runs)
    assert told == {"runs": [3, 2, 0, 3], "names": {}}


def test_runs_that_the_page_does_not_hold_are_left_out(runs: Runs) -> None:
    assert packed(figure("seeds", seeds(["a0", "a9", "b1"])), runs)["runs"] == [0, 1, 4, 1]


def test_a_name_other_than_the_label_is_told(runs: Runs) -> None:
    told = packed(figure("seeds", seeds(["a0", "b0"], technique=["a", "b, shortened"])), runs)
    assert told["names"] == {"1": "b, shortened"}


def test_seeds_with_a_column_of_their_own_are_told_whole(runs: Runs) -> None:
    assert "blocks" in packed(figure("seeds", seeds(["a0"], extra=1)), runs)


def test_rows_are_told_by_what_they_lack(runs: Runs) -> None:
    data = pd.DataFrame({"name": ["x", "y", "z"], "value": [1.0, np.nan, 3.0], "note": [None, "n", None]})
    first, second = packed(figure("cost", data), runs)["blocks"]
    assert (first["rows"], set(first["columns"])) == (2, {"name", "value"})
    assert (second["rows"], second["columns"]) == (1, {"name": ["y"], "note": ["n"]})


def test_values_that_repeat_are_told_once(runs: Runs) -> None:
    data = pd.DataFrame({"name": ["x"] * 6 + ["y"] * 6, "place": np.arange(12), "value": np.arange(12) / 7})
    (block,) = packed(figure("cost", data), runs)["blocks"]
    assert block["columns"]["name"]["values"] == ["x", "y"]
    assert block["columns"]["place"] == list(range(12))
    assert (block["columns"]["value"]["low"], block["columns"]["value"]["width"]) == (0, 3)


def test_long_columns_are_narrow_and_far_ones_logarithmic(runs: Runs) -> None:
    values = np.geomspace(1e-3, 10, MANY + 1)
    (block,) = packed(figure("cost", pd.DataFrame({"value": values})), runs)["blocks"]
    assert (block["columns"]["value"]["width"], block["columns"]["value"]["log"]) == (2, True)


def test_a_figure_without_rows_is_plain_json(runs: Runs) -> None:
    assert json.dumps(packed(figure("cost", pd.DataFrame({"a": []})), runs)) == '{"blocks": []}'


def test_a_figure_has_a_view_by_its_kind_and_a_task_by_its_place_or_its_rows() -> None:
    two = pd.DataFrame({"task": ["sst2", "rte"]})
    shown = [
        figure("seeds", seeds(["a0"]), "sst2"),
        figure("curves", pd.DataFrame({"loss": [1.0]}), "a-task-with-hyphens"),
        figure("curves", pd.DataFrame({"loss": [1.0]}), "Task of/any name"),
        figure("cost", two),
        figure("sizes", two[:1]),
        figure("profiles", pd.DataFrame({"tau": [1.0]})),
        figure("something", two),
    ]
    assert [(view_of(one), one.task) for one in shown] == [
        ("seeds", "sst2"), ("curves", "a-task-with-hyphens"), ("curves", "Task of/any name"), ("cost", ""),
        ("sizes", "sst2"), ("profiles", ""), ("more", ""),
    ]  # fmt: skip


def test_the_index_follows_the_cells(summary: Summary) -> None:
    index = indexed(summary.runs)
    assert list(index.places) == summary.runs["run_id"].tolist()
    assert [index.labels[cell] for cell in index.cells] == summary.runs["label"].astype(str).tolist()
