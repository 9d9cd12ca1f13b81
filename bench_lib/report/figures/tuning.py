"""What searching settings came to: the expected best score against its cost, and scores against learning rates."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from bench_lib.report.analysis.tuning import budgets
from bench_lib.report.figures.figure import Figure, marked, rows, vega_lite
from bench_lib.report.figures.style import FAILED, SEED, X
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain
from bench_lib.report.prose import count

SEARCH = ("task", "technique", "points", "trainings", "best")
RATES = ("task", "technique", "settings", "factor", "score", "failed", "trials", "outcome")
WIDTH, HEIGHT = 560, 300
PANEL, COLUMNS = 200, 3
OUTCOMES = {"no trial failed": (SEED, "circle"), "a trial failed": (FAILED, X)}


def search_figure(points: pd.DataFrame, name: str) -> Figure | None:
    """The expected best dev score (percent points) against trainings of the baseline, one line per technique.

    Rows are the points of one task; None where no technique has two.
    """
    known = budgets(points)
    if known.empty or known["points"].max() < 2:
        return None
    table = known.assign(
        task=known["task"].map(plain),
        technique=known["technique"].map(plain),
        trainings=known["trainings"].round(3),
        best=(100 * known["best"]).round(4),
    )[list(SEARCH)]
    title = f"{place(points, task=True)}: dev score against the budget of tuning"
    encoded = alt.Chart().encode(
        x=alt.X(
            "trainings:Q",
            title="budget (trainings of the baseline in passes)",
            scale=alt.Scale(zero=False),
            axis=alt.Axis(tickMinStep=1),
        ),
        y=alt.Y("best:Q", title="expected best dev score (percent points)", scale=alt.Scale(zero=False)),
        tooltip=["technique:N", "points:Q", "trainings:Q", "best:Q"],
    )
    chart = alt.layer(*marked(encoded, "technique").layer, data=rows())
    chart = chart.properties(title=title, width=WIDTH, height=HEIGHT)
    ends = table.sort_values("points").groupby("technique", sort=True)["best"].agg(["first", "last"])
    gains = [f"{technique} {end['first']:.2f} to {end['last']:.2f}" for technique, end in ends.iterrows()]
    text = f"Expected best dev score from one point to all: {'; '.join(gains[:6])}"
    more = f"; and {len(gains) - 6} more." if len(gains) > 6 else "."
    return Figure(name, title, text + more, vega_lite(chart), table)


def rates_figure(points: pd.DataFrame, name: str) -> Figure | None:
    """The dev score (percent points) of each point against its factor of the learning rate, one panel per technique.

    Rows are the points of one task; None where all have one factor.
    """
    if points["factor"].nunique() < 2:
        return None
    table = pd.DataFrame(
        {
            "task": points["task"].map(plain),
            "technique": points["technique"].map(plain),
            "settings": points["settings"].map(plain),
            "factor": points["factor"].astype(float),
            "score": (100 * points["score"].astype(float)).round(4),
            "failed": points["failed"].astype(int),
            "trials": points["judged"].astype(int),
        }
    ).reset_index(drop=True)
    shown = table.assign(outcome=np.where(table["failed"] > 0, "a trial failed", "no trial failed"))
    title = f"{place(points, task=True)}: dev score against the learning rate"
    names, styles = list(OUTCOMES), list(OUTCOMES.values())
    colours, shapes = (alt.Scale(domain=names, range=[style[part] for style in styles]) for part in (0, 1))
    panel = (
        alt.Chart(width=PANEL, height=PANEL)
        .mark_point(size=45, filled=True, opacity=0.9, aria=False)
        .encode(
            x=alt.X("factor:Q", title="times the default rate", scale=alt.Scale(type="log", nice=False, padding=12)),
            y=alt.Y("score:Q", title="dev score (percent points)", scale=alt.Scale(zero=False)),
            fill=alt.Fill("outcome:N", title=None, scale=colours),
            shape=alt.Shape("outcome:N", title=None, scale=shapes),
            tooltip=["settings:N", "factor:Q", "score:Q", "failed:Q", "trials:Q"],
        )
    )
    chart = panel.facet(alt.Facet("technique:N", title=None), columns=COLUMNS, data=rows()).properties(title=title)
    failing = int((table["failed"] > 0).sum())
    text = (
        f"Dev score at {table['factor'].min():g} to {table['factor'].max():g} times the default learning rate, of "
        f"{short_name_list(sorted(set(table['technique'])))}; "
        f"trials failed at {failing} of {count(len(table), 'point')}."
    )
    return Figure(name, title, text, vega_lite(chart), shown)
