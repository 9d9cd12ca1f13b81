from __future__ import annotations

import math

from bench_lib.report.figures import power_figure
from bench_lib.stats.calibration import Calibration


def rows(scenario: str, found: tuple[float, float, float]) -> list[Calibration]:
    null = Calibration(scenario, 1, 1.0, 100, found[0], 0.0, 0.1, math.nan, 0.5, 28.0)
    wider = [
        Calibration(scenario, 1, r, 100, 1.0, 0.9, 1.0, f, 0.0, 30 / r) for r, f in ((3.0, found[2]), (2.0, found[1]))
    ]
    return [null, *wider]


def test_a_line_a_scenario_with_its_false_alarms_at_a_ratio_of_one() -> None:
    figure = power_figure(rows("normal", (0.04, 0.8, 0.99)) + rows("ties", (0.05, 0.7, 0.9)), alpha=0.05, seeds=30)
    left, right = figure.axes
    first, second, level = left.get_lines()
    assert list(first.get_xdata()) == [1, 2, 3]
    assert list(first.get_ydata()) == [0.04, 0.8, 0.99]
    assert list(second.get_ydata()) == [0.05, 0.7, 0.9]
    assert set(level.get_ydata()) == {0.05}
    assert list(right.get_lines()[0].get_ydata()) == [28, 15, 10]
    assert right.get_ylim()[0] == 0
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["normal", "ties"]
    assert first.get_marker() != second.get_marker()


def test_axes_name_what_they_show() -> None:
    for axes in power_figure(rows("normal", (0.04, 0.8, 0.99)), alpha=0.05, seeds=30).axes:
        assert axes.get_xlabel() == "ratio of the standard deviations"
        assert axes.get_ylabel()
        assert axes.get_title(loc="left")
