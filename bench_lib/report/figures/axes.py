"""Stability along an axis of the profile: the number of training examples, or how many of their labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import altair as alt
import pandas as pd

from bench_lib.report.figures.figure import Figure, marked, rows, vega_lite
from bench_lib.report.figures.words import short_name_list
from bench_lib.report.formatting import plain

MEASURES = ("mad", "failure_rate", "seeds")
MOST = 8
"""Maximum number of lines in a panel."""
WIDTH, HEIGHT = 300, 190
LEAST_SHARE = 10.0
"""Minimum upper limit of the failure axis, in percent."""


@dataclass(frozen=True)
class Axis:
    """A field of the profile as the axis of a figure; `kind` is the first word of the figure's name.

    `default` is its value in runs that were stored before it was a field. Numbers are drawn `scale` times as large,
    their logarithms where the axis is `wide` and has no 0.
    """

    kind: str
    field: str
    label: str
    default: float | None = None
    scale: int = 1
    wide: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the figure's data."""
        return ("task", "technique", self.field, *MEASURES)


AXES = (
    Axis("sizes", "train_examples", "training examples"),
    Axis("shots", "per_class", "training examples per class"),
    Axis("noise", "label_noise", "wrong training labels (%)", default=0.0, scale=100, wide=False),
)


def axis_figure(axis: Axis, table: pd.DataFrame, where: str, name: str) -> Figure | None:
    """MAD (percent points) and failure rate (percent) along an axis, one line per technique.

    Rows hold the axis's columns, as fractions, of cells that differ along it alone; the techniques with most values are
    drawn, and all are in the data; `where` names their group. None for fewer than two values.
    """
    if table[axis.field].nunique() < 2:
        return None
    shown = pd.DataFrame(
        {
            "task": table["task"].astype(str).map(plain),
            "technique": table["technique"].astype(str).map(plain),
            axis.field: (axis.scale * table[axis.field].astype(float)).round(4),
            "mad": (100 * table["mad"].astype(float)).round(4),
            "failure_rate": (100 * table["failure_rate"].astype(float)).round(3),
            "seeds": table["seeds"].astype(int),
        }
    ).sort_values(list(axis.columns[:3]), ignore_index=True)
    if axis.scale == 1:
        shown[axis.field] = shown[axis.field].astype(int)
    counts = shown.groupby("technique").size()
    drawn = sorted(counts.sort_values(ascending=False, kind="stable").index[:MOST])
    title = f"{plain(where)}: stability against {_axis_phrase(axis)}"
    return Figure(name, title, _alt(axis, shown, drawn), vega_lite(_chart(axis, shown, drawn, title)), shown)


def _chart(axis: Axis, shown: pd.DataFrame, drawn: list[str], title: str) -> alt.TopLevelMixin:
    chosen = alt.FieldOneOfPredicate(field="technique", oneOf=drawn)
    logarithmic = axis.wide and shown[axis.field].min() > 0
    # Where there is a 0 the symmetric logarithm: linear at 0, and a logarithm further out.
    kind: Literal["log", "symlog", "linear"] = "log" if logarithmic else "symlog" if axis.wide else "linear"
    ticks = alt.Axis(values=sorted(shown[axis.field].unique().tolist()), labelOverlap=True)
    x = alt.X(f"{axis.field}:Q", title=axis.label, axis=ticks, scale=alt.Scale(type=kind, nice=False, padding=12))
    # Where nothing fails the line lies at the bottom, and not in the middle of an axis without a length.
    scales = {"mad": alt.Scale(), "failure_rate": alt.Scale(domain=[0, max(LEAST_SHARE, shown["failure_rate"].max())])}
    panels = [
        alt.Chart(width=WIDTH, height=HEIGHT)
        .transform_filter(chosen)
        .encode(
            x=x,
            y=alt.Y(f"{column}:Q", title=label, scale=scales[column]),
            tooltip=["task:N", "technique:N", f"{axis.field}:Q", "mad:Q", "failure_rate:Q", "seeds:Q"],
        )
        for column, label in (("mad", "MAD (percent points)"), ("failure_rate", "failed (%)"))
    ]
    row = alt.Row("task:N", title=None)
    faceted = [marked(p, "technique").facet(row=row, data=rows()).resolve_scale(y="independent") for p in panels]
    return alt.hconcat(*faceted).properties(title=title)


def _alt(axis: Axis, shown: pd.DataFrame, drawn: list[str]) -> str:
    values = shown[axis.field]
    return (
        f"Lines of MAD and of the failure rate from {values.min():,} to {values.max():,} {axis.label}, on "
        f"{short_name_list(sorted(set(shown['task'])))}, for {short_name_list(drawn)}."
    )


def _axis_phrase(axis: Axis) -> str:
    return f"the number of {axis.label}" if axis.scale == 1 else f"the share of {axis.label}"
