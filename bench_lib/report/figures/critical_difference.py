"""The critical-difference diagram: average ranks over the tasks, and cliques of similar ones."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from bench_lib.report.cells import numbers
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.style import GREY, INK, SEED
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain
from bench_lib.stats.ranks import cliques

COLUMNS = ("technique", "average_rank", "role", "to_rank")
STEP, WIDTH = 16, 460
RULER = "critical difference"
"""The name of the row that shows the critical difference."""


def critical_difference_figure(ranks: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """Average ranks of the techniques of one group, the best on top, with a bar over each clique that could be alike.

    Rows are those of `report.ranking.ranks`; None where they have no critical difference, with fewer than three tasks
    or techniques. In the data (`COLUMNS`) a bar's row is a `clique` in `role`, and the first a
    `ruler`. Source: Demsar 2006.
    """
    known = ranks[numbers(ranks["critical_difference"]) > 0]
    if known.empty:
        return None
    table = known.assign(technique=known["technique"].astype(str).map(plain)).sort_values(
        ["average_rank", "technique"], ignore_index=True
    )
    difference, p = float(table["critical_difference"].iloc[0]), float(table["friedman_p"].iloc[0])
    drawn = _rows(table, difference, plain(baseline))
    title = f"{place(known)}: ranks over {int(table['tasks'].iloc[0])} tasks, by failure rate, then MAD"
    joined = f"bars join ranks closer than the critical difference {difference:.2f} (Nemenyi, 5 %)"
    subtitle = f"Friedman (Iman-Davenport) p {_p(p)}; {joined}"
    spec = vega_lite(_chart([RULER, *table["technique"]], title, subtitle))
    return Figure(name, title, _alt(table, drawn, p), spec, drawn)


def _rows(table: pd.DataFrame, difference: float, baseline: str) -> pd.DataFrame:
    best = round(float(table["average_rank"].iloc[0]), 4)
    found = [(RULER, best, "ruler", round(best + difference, 4))]
    found += [
        (row.technique, round(row.average_rank, 4), "baseline" if row.technique == baseline else "technique", math.nan)
        for row in table.itertuples()
    ]
    values = table["average_rank"].to_numpy()
    for group in cliques(values, difference):
        first, last = table.iloc[group[0]], table.iloc[group[-1]]
        found.append((first["technique"], round(first["average_rank"], 4), "clique", round(last["average_rank"], 4)))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _chart(order: list[str], title: str, subtitle: str) -> alt.TopLevelMixin:
    x = alt.X("average_rank:Q", title="average rank (1 is best)", scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(width=WIDTH, height=alt.Step(STEP)).encode(y=alt.Y("technique:N", title=None, sort=order))
    bars = (
        base.transform_filter("datum.role == 'clique'")
        .mark_rule(strokeWidth=3, opacity=0.6, color=GREY, aria=False)
        .encode(x=x, x2="to_rank:Q")
    )
    colour = alt.Scale(domain=["baseline", "technique"], range=[INK, SEED])
    ruler = (
        base.transform_filter("datum.role == 'ruler'")
        .mark_errorbar(ticks={"size": STEP * 0.6}, rule={"strokeWidth": 1.5})
        .encode(x=x, x2="to_rank:Q")
    )
    dots = (
        base.transform_filter("!isValid(datum.to_rank)")
        .mark_point(filled=True, size=70, aria=False)
        .encode(
            x=x,
            color=alt.Color("role:N", title=None, scale=colour),
            shape=alt.Shape(
                "role:N", title=None, scale=alt.Scale(domain=["baseline", "technique"], range=["square", "circle"])
            ),
            tooltip=["technique:N", "average_rank:Q"],
        )
    )
    return alt.layer(ruler, bars, dots, data=rows()).properties(title=alt.Title(title, subtitle=subtitle))


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _alt(table: pd.DataFrame, drawn: pd.DataFrame, p: float) -> str:
    groups = int((drawn["role"] == "clique").sum())
    best = [f"{row.technique} ({row.average_rank:.1f})" for row in table.head(3).itertuples()]
    return (
        f"Average ranks of {len(table)} techniques, best first: {short_name_list(best)}. Friedman's test that all rank "
        f"alike has p {_p(p)}; {groups} {'bar joins' if groups == 1 else 'bars join'} techniques that could be alike."
    )
