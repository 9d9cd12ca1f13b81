"""What the comparison finds, as it was measured."""

from __future__ import annotations

from bench_lib.report.analysis.calibration import measured
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.power import COLUMNS, power_figure


def test_false_alarms_and_power_are_shares_in_percent() -> None:
    rows = measured().of(tasks=1)
    figure = power_figure(rows, 0.05, 30, "power")
    assert tuple(figure.data) == COLUMNS
    alarms = figure.data[figure.data["ratio"] == 1]["claimed"]
    assert alarms.tolist() == [100 * row.claims for row in rows if row.ratio == 1]
    found = figure.data[figure.data["ratio"] == 2]["claimed"]
    assert found.tolist() == [100 * row.found for row in rows if row.ratio == 2]
    assert f"between {alarms.min():.1f} and {alarms.max():.1f} %" in figure.alt
    svg(figure)
