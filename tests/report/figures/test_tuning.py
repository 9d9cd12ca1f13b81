"""The search over settings as figures."""

from __future__ import annotations

import pandas as pd
import pytest

from bench_lib.report.analysis.tuning import POINTS
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.tuning import RATES, SEARCH, rates_figure, search_figure

PLACE = {"data": "real", "model": "minilm", "profile": "desk", "task": "sst2"}


def points(*rows: tuple[str, float, float, int]) -> pd.DataFrame:
    known = [
        {**PLACE, "technique": name, "settings": f"{name} {factor}", "point": f"{name}{factor}", "factor": factor,
         "default": factor == 1, "score": score, "failed": failed, "judged": 2, "passes": 480.0, "seconds": 20.0}
        for name, factor, score, failed in rows
    ]  # fmt: skip
    return pd.DataFrame(known, columns=list(POINTS))


TRIED = points(
    ("adamw", 1.0, 0.8, 0),
    ("adamw", 0.5, 0.82, 0),
    ("adamw", 2.0, 0.5, 2),
    ("mixout", 1.0, 0.7, 0),
    ("mixout", 2.0, 0.9, 1),
)


def test_the_expected_best_rises_with_the_budget() -> None:
    figure = search_figure(TRIED, "search")
    assert figure is not None
    assert tuple(figure.data) == SEARCH
    assert figure.spec["layer"][0]["encoding"]["x"]["axis"] == {"tickMinStep": 1}
    assert figure.data["trainings"].tolist() == [1, 2, 3, 1, 2]
    assert figure.data["best"].tolist() == pytest.approx([70.6667, 81.3333, 82, 80, 90])
    assert figure.alt == "Expected best dev score from one point to all: adamw 70.67 to 82.00; mixout 80.00 to 90.00."
    svg(figure)


def test_rates_have_a_panel_for_each_technique_and_show_failures() -> None:
    figure = rates_figure(TRIED, "rates")
    assert figure is not None
    assert tuple(figure.data) == RATES
    assert figure.data["outcome"].tolist() == ["no trial failed"] * 2 + [
        "a trial failed",
        "no trial failed",
        "a trial failed",
    ]
    assert figure.alt.endswith("of adamw, mixout; trials failed at 2 of 5 points.")
    svg(figure)


def test_a_search_of_the_default_alone_is_not_drawn() -> None:
    alone = points(("adamw", 1.0, 0.8, 0), ("longer", 1.0, 0.8, 0))
    assert search_figure(alone, "search") is None
    assert rates_figure(alone, "rates") is None
