"""Standard deviations by source."""

from __future__ import annotations

import pandas as pd
import pytest

from bench_lib.report.analysis.variance import COMPONENT_COLUMNS
from bench_lib.report.cells import CELL_ID
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.variance import COLUMNS, variance_figure

CELL = dict.fromkeys(CELL_ID, "x") | {"task": "sst2", "label": "adamw", "data": "real"}


def sources(*parts: tuple[str, float, float, float]) -> pd.DataFrame:
    rows = [
        {**CELL, "design": "init+order", "source": s, "variance": v, "low": low, "high": high, "share": 0.5, "runs": 9,
         "failed": 1, "note": ""}
        for s, v, low, high in parts
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COMPONENT_COLUMNS))


def test_square_roots_in_percent_points() -> None:
    figure = variance_figure(sources(("init", 0.0001, 0.00005, 0.0004), ("rest", -0.1, -0.2, 0.01)), "variance")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    assert figure.data["sd"].tolist() == pytest.approx([1.0, 0.0])
    assert figure.data["high"].tolist() == pytest.approx([2.0, 10.0])
    assert "largest single source is init" in figure.alt
    svg(figure)


def test_nothing_varied_nothing_drawn() -> None:
    assert variance_figure(sources(), "variance") is None
