"""Figures: Vega-Lite specification, data and alternative text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from bench_lib.report.cells import GROUP
from bench_lib.report.figures.style import GREY

ROWS = "data"
"""The name of the only data set of every specification."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart specification without data and style, and the rows of its data.

    `name` is unique in a report and fit for a file; `alt` describes it in one to three sentences; `spec` is
    Vega-Lite whose only data set is the named one, `ROWS`, which `data` holds. `kind` and `place` say where it belongs:
    to a group, to a task of one, or to the whole report (an empty place).
    """

    name: str
    title: str
    alt: str
    spec: dict[str, Any]
    data: pd.DataFrame
    kind: str = ""
    place: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """The task of its place, or the only one in its rows; empty if it shows several or none."""
        if len(self.place) > len(GROUP):
            return self.place[len(GROUP)]
        tasks = set(self.data["task"].astype(str)) if "task" in self.data else set()
        return str(tasks.pop()) if len(tasks) == 1 else ""


def rows() -> alt.NamedData:
    """The named data of a chart, bound when it is drawn."""
    return alt.NamedData(ROWS)


def reference(axis: Literal["x", "y"], value: float) -> alt.Chart:
    """A dashed line at a value, drawn once and not for each row of the data."""
    line = alt.Chart().transform_aggregate(rows="count()").mark_rule(strokeDash=[4, 3], color=GREY, aria=False)
    drawn: alt.Chart = line.encode(**{axis: alt.datum(value)})
    return drawn


def marked(base: alt.Chart, field: str, columns: int = 8) -> alt.LayerChart:
    """Lines with marks that differ in both colour and shape; the legend is of the marks only."""
    # Separate scales for outline and filling, so that only the marks have a legend.
    legend = alt.Legend(columns=columns)
    lines = base.mark_line(aria=False).encode(stroke=alt.Stroke(f"{field}:N", legend=None))
    points = base.mark_point(size=45, filled=True, opacity=1, aria=False).encode(
        fill=alt.Fill(f"{field}:N", title=None, legend=legend), shape=alt.Shape(f"{field}:N", title=None, legend=legend)
    )
    return alt.LayerChart(layer=[lines, points])


def vega_lite(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The chart as Vega-Lite, without the settings that Altair adds to every chart."""
    # Validated against the schema only in tests, since that takes longer than the rest of a report.
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return {name: part for name, part in spec.items() if name not in ("config", "datasets")}
