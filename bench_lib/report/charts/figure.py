"""A figure as a value: what is drawn, from which rows, and what it shows in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from bench_lib.report.charts.style import GREY

ROWS = "data"
"""What the one data set of every specification is called."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart without its data and its style, and the rows that it draws.

    `name` is unique in a report and fit for a file; `alt` says what is to be seen in one to three sentences; `spec` is
    Vega-Lite whose only data set is the named one, `ROWS`, which `data` holds.
    """

    name: str
    title: str
    alt: str
    spec: dict[str, Any]
    data: pd.DataFrame


def rows() -> alt.NamedData:
    """The data of a chart, to be bound when it is drawn."""
    return alt.NamedData(ROWS)


def reference(axis: Literal["x", "y"], value: float) -> alt.Chart:
    """A dashed line at a value, drawn once and not for each row of the data."""
    line = alt.Chart().transform_aggregate(rows="count()").mark_rule(strokeDash=[4, 3], color=GREY, aria=False)
    drawn: alt.Chart = line.encode(**{axis: alt.datum(value)})
    return drawn


def specified(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The chart as Vega-Lite, without the settings that Altair adds to every chart: the style sheet is ours."""
    spec: dict[str, Any] = chart.to_dict()
    return {name: part for name, part in spec.items() if name not in ("config", "datasets")}
