"""The variance decomposition: the standard deviation from each seed stream, with its interval."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from bench_lib.report.cells import GROUP, numbers
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.style import SEED
from bench_lib.report.formatting import plain

COLUMNS = ("cell", "design", "source", "sd", "low", "high", "share", "runs", "failed")
STEP, WIDTH = 20, 420


def variance_figure(sources: pd.DataFrame, name: str) -> Figure | None:
    """The standard deviation that each source causes by itself, in percent points with its 95 % interval; None if none.

    Rows are those of `report.sources.sources`; columns of the data are `COLUMNS`. An estimate below zero shows as 0.
    """
    if sources.empty:
        return None
    named = [", ".join(map(plain, part)) for part in sources[["task", "label", *GROUP]].astype(str).to_numpy()]
    roots = {
        column: (100 * np.sqrt(np.maximum(numbers(sources[part]), 0))).round(4)
        for column, part in (("sd", "variance"), ("low", "low"), ("high", "high"))
    }
    table = pd.DataFrame({"cell": named, **sources[["design", "source"]].astype(str), **roots}).assign(
        share=(100 * numbers(sources["share"])).round(2),
        runs=sources["runs"].to_numpy(),
        failed=sources["failed"].to_numpy(),
    )[list(COLUMNS)]
    title = "Where the variance comes from"
    return Figure(name, title, _alt(table), vega_lite(_chart(title)), table)


def _chart(title: str) -> alt.TopLevelMixin:
    base = alt.Chart(width=WIDTH, height=alt.Step(STEP)).encode(y=alt.Y("source:N", title=None, sort=None))
    x = alt.X("sd:Q", title="standard deviation caused (percent points); bars: 95 % interval")
    tips = ["cell:N", "design:N", "source:N", "sd:Q", "low:Q", "high:Q", "share:Q", "runs:Q", "failed:Q"]
    reach = base.mark_rule(strokeWidth=2, color=SEED, aria=False).encode(x=alt.X("low:Q"), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, color=SEED, aria=False).encode(x=x, tooltip=tips)
    row = alt.Row("panel:N", title=None, header=alt.Header(orient="top", labelLimit=WIDTH + 100))
    chart: alt.TopLevelMixin = (
        alt.layer(reach, dots, data=rows())
        .transform_calculate(panel="datum.cell + ': ' + datum.design + ' varied together'")
        .facet(row=row)
        .resolve_scale(y="independent")
        .properties(title=title)
    )
    return chart


def _alt(table: pd.DataFrame) -> str:
    parts = table[~table["source"].isin(["total", "rest"])]
    text = f"Standard deviations with intervals for {len(table.groupby(['cell', 'design']))} decompositions."
    if len(parts) and parts["sd"].notna().any():
        top = parts.loc[parts["sd"].idxmax()]
        text += f" The largest single source is {top['source']} of {top['cell']} ({top['sd']:.2f} percent points)."
    return text
