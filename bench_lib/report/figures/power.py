"""The power curve of the comparison: claims and seeds used by the ratio of the spreads."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from bench_lib.report.figures.figure import Figure, marked, reference, rows, vega_lite
from bench_lib.stats.calibration import Calibration

COLUMNS = ("scenario", "ratio", "claimed", "seeds")
WIDTH, HEIGHT = 330, 230


def power_figure(measured: Sequence[Calibration], alpha: float, seeds: int, name: str) -> Figure:
    """Share of comparisons that claim a difference, and mean seeds used, by the ratio of the standard deviations.

    Columns of the data are `COLUMNS`; shares are in percent. Where the ratio is 1 a claim is a false alarm, and alpha
    is drawn.
    """
    table = pd.DataFrame(
        [(r.scenario, r.ratio, 100 * (r.claims if r.ratio == 1 else r.found), r.seeds) for r in measured],
        columns=list(COLUMNS),
    )
    left = _panel("claimed:Q", "comparisons that find it (%)", 100) + reference("y", 100 * alpha)
    right = _panel("seeds:Q", f"seeds used, mean, of {seeds}", seeds) + reference("y", seeds)
    title = "How often the comparison finds a difference in spread, and how many seeds it takes"
    chart = alt.hconcat(left, right, data=rows()).properties(title=title)
    return Figure(name, title, _alt(table, alpha), vega_lite(chart), table)


def _panel(y: str, title: str, top: float) -> alt.LayerChart:
    base = alt.Chart(width=WIDTH, height=HEIGHT).encode(
        x=alt.X("ratio:Q", title="ratio of the standard deviations", scale=alt.Scale(zero=False, nice=False)),
        y=alt.Y(y, title=title, scale=alt.Scale(domain=[0, top])),
        tooltip=["scenario:N", "ratio:Q", alt.Tooltip(y, format=".3~r")],
    )
    return marked(base, "scenario")


def _alt(table: pd.DataFrame, alpha: float) -> str:
    false = table[table["ratio"] == 1]["claimed"]
    twice = table[table["ratio"] == 2]["claimed"]
    lines = f"a line for each of {table['scenario'].nunique()} scenarios"
    parts = [f"Two line charts over the ratio of the standard deviations, {lines}."]
    if len(false):
        parts.append(f"False alarms lie between {false.min():.1f} and {false.max():.1f} % at alpha {100 * alpha:g} %.")
    if len(twice):
        parts.append(f"A ratio of 2 is found in {twice.min():.0f} to {twice.max():.0f} % of the comparisons.")
    return " ".join(parts)
