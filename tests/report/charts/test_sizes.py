"""Stability by the number of training examples."""

from __future__ import annotations

import pandas as pd

from bench_lib.report.charts.draw import svg
from bench_lib.report.charts.sizes import COLUMNS, MOST, sizes_figure


def table(techniques: int, sizes: tuple[int, ...]) -> pd.DataFrame:
    rows = [("sst2", f"t{t:02}", size, 0.01 * (1 + t) / size, 0.1, 5) for t in range(techniques) for size in sizes]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_line_a_technique() -> None:
    figure = sizes_figure(table(3, (100, 1000)), "real, minilm, desk", "sizes")
    assert figure is not None
    assert figure.data["failure_rate"].tolist() == [10.0] * 6
    assert "100 to 1,000 training examples" in figure.alt
    svg(figure)


def test_not_more_lines_than_can_be_told_apart() -> None:
    figure = sizes_figure(table(12, (100, 1000)), "real, minilm, desk", "sizes")
    assert figure is not None
    kept = [panel["spec"]["layer"][0]["transform"][0]["filter"]["oneOf"] for panel in figure.spec["hconcat"]]
    assert [len(names) for names in kept] == [MOST, MOST]
    assert figure.data["technique"].nunique() == 12


def test_one_size_is_no_comparison() -> None:
    assert sizes_figure(table(3, (100,)), "real, minilm, desk", "sizes") is None
    assert sizes_figure(table(0, (100,)), "real, minilm, desk", "sizes") is None
