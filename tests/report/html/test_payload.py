"""The runs of a page: which it holds, and that they can be read back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.core.record import Status
from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import CELL_ID
from bench_lib.report.html.payload import STATUSES, packed, page_runs
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.reproduce import Commands


def runs(cells: int, seeds: int, fails: int) -> pd.DataFrame:
    """So many cells whose last seeds fail."""
    key = dict.fromkeys(CELL_ID, "x")
    places = [(cell, seed) for cell in range(cells) for seed in range(seeds)]
    statuses = ["collapsed" if seed >= seeds - fails else "converged" for _, seed in places]
    rows = [
        {**key, "label": f"t{cell}", "seed": seed, "status": s}
        for (cell, seed), s in zip(places, statuses, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def told(summary: Summary, catalogue: Catalogue) -> dict[str, Any]:
    return packed(summary.runs, summary.loss, Commands(catalogue))


def test_all_runs_are_held_where_there_is_room() -> None:
    assert page_runs(runs(3, 4, 1), most=12).all()


def test_of_too_many_the_first_seeds_and_the_failures_are_held() -> None:
    table = runs(3, 10, 2)
    keep = page_runs(table, most=15)
    assert table[keep]["seed"].tolist() == [0, 1, 2, 8, 9] * 3


def test_too_many_failures_are_cut_like_the_rest() -> None:
    table = runs(2, 10, 9)
    assert table[page_runs(table, most=8)]["seed"].tolist() == [0, 1, 2, 3] * 2


def test_each_cell_keeps_a_run() -> None:
    table = runs(4, 5, 0)
    assert table[page_runs(table, most=1)]["seed"].tolist() == [0] * 4


def test_every_status_has_a_letter() -> None:
    assert len(set(STATUSES)) == len(STATUSES) == len(Status)


def test_cells_stand_in_the_order_of_their_runs(summary: Summary, told: dict[str, Any]) -> None:
    cells = told["cells"]
    assert sum(cells["count"]) == len(summary.runs) == len(told["runs"]["status"])
    keys = summary.runs[list(CELL_ID)].astype(str).drop_duplicates()
    assert cells["label"] == keys["label"].tolist()
    assert [cells["groups"][g][0] for g in cells["group"]] == keys["data"].tolist()


def test_a_spec_comes_back_without_its_seed(summary: Summary, told: dict[str, Any]) -> None:
    cells = told["cells"]
    first = summary.runs.drop_duplicates(list(CELL_ID))
    for parts, text in zip(cells["spec"], first["spec"], strict=True):
        assert dict(cells["parts"][part] for part in parts) == json.loads(text)


def test_reasons_stand_at_the_runs_that_have_one(summary: Summary, told: dict[str, Any]) -> None:
    reasons = told["reasons"]
    found = {int(place): reasons["texts"][text] for place, text in reasons["places"].items()}
    column = summary.runs["reason"].astype(str)
    assert found == {place: reason for place, reason in enumerate(column) if reason}
    assert len(found) == 2


def test_what_is_held_is_plain_json(told: dict[str, Any]) -> None:
    json.dumps(told, allow_nan=False)


def test_scores_are_told_to_five_digits(summary: Summary, told: dict[str, Any]) -> None:
    scale = told["runs"]["score"]
    assert (scale["high"] - scale["low"]) / (64**3 - 2) == pytest.approx(1e-5)
    assert np.isnan(summary.runs["score"].astype(float)).sum() == 2
    assert scale["text"].count("___") == 2
