from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench_lib.report.analysis.contrasts import contrasts
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.forest import COLUMNS, MOST, forest_figure

DONE = {"verdict": "more stable", "decided_by": "spread", "missing": 0.0}


def drawn(*rows: dict[str, Any]) -> Figure | None:
    return forest_figure(contrasts(pd.DataFrame(rows)), "adamw", "forest-real")


def test_a_decided_contrast_is_a_row_with_its_intervals_and_cost(cell: Any, base: Any) -> None:
    figure = drawn(base(), cell(**DONE), cell(technique="sam"))
    assert figure is not None
    assert tuple(figure.data.columns) == COLUMNS
    (row,) = figure.data.itertuples()
    assert (row.technique, row.verdict, row.ratio, row.ratio_low, row.ratio_high) == (
        "mixout", "more stable", 0.6, 0.4, 0.9,
    )  # fmt: skip
    assert row.difference == 0
    assert row.difference_low == pytest.approx(-row.difference_high)
    assert row.cost == 1.25
    text = svg(figure)
    assert "mixout, sst2" in text
    assert "1.25\u00d7" in text


def test_what_has_no_place_on_the_axis_is_left_out_of_it(cell: Any, base: Any) -> None:
    unknown = {"mad_ratio": 0.0, "mad_ratio_low": math.nan, "mad_ratio_high": math.nan, "cost_ratio": math.nan}
    figure = drawn(base(), cell(**DONE | unknown), cell(technique="sam", **DONE | {"mad_ratio": math.inf}))
    assert figure is not None
    assert figure.data["ratio"].isna().all()
    assert "mixout, sst2" in svg(figure)


def test_nothing_decided_is_not_drawn(cell: Any, base: Any) -> None:
    assert drawn(base(), cell()) is None


def test_of_many_the_first_are_drawn_and_all_are_in_the_data(cell: Any, base: Any) -> None:
    rows = [cell(technique=f"t{number:03d}", **DONE) for number in range(MOST + 2)]
    figure = drawn(base(), *rows)
    assert figure is not None
    assert len(figure.data) == MOST + 2
    assert figure.data["shown"].sum() == MOST
    assert "2 more in the data" in svg(figure)


def test_lower_scores_alone_are_a_kind_of_their_own(cell: Any, base: Any) -> None:
    figure = drawn(base(), cell(verdict="underpowered", verdict_location="worse", missing=0.0))
    assert figure is not None
    assert [*figure.data["verdict"]] == ["lower scores"]
    assert "1 lower scores" in figure.alt
