"""Disagreement between seeds: how many items two trained models of one technique predict differently."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench_lib.report.cells import numbers
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.style import INK, SEED
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain

COLUMNS = ("task", "technique", "churn", "kappa", "runs", "role")
STEP, WIDTH = 15, 250


def agreement_figure(cells: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """Churn of each technique, in percent of the items, one panel per task; None if unknown for all cells.

    Rows are cells of one group; columns of the data are `COLUMNS`. Churn is the mean share of items that two converged
    runs predict differently.
    """
    known = cells[numbers(cells["churn"]) >= 0]
    if known.empty:
        return None
    table = pd.DataFrame(
        {
            "task": known["task"].astype(str).map(plain),
            "technique": known["label"].astype(str).map(plain),
            "churn": (100 * numbers(known["churn"])).round(3),
            "kappa": numbers(known["kappa"]).round(4),
            "runs": known["converged"],
            "role": [("baseline" if one == baseline else "technique") for one in known["technique"].astype(str)],
        }
    ).reset_index(drop=True)
    title = f"{place(cells)}: items that two seeds predict differently"
    return Figure(name, title, _alt(table), vega_lite(_chart(table, title)), table)


def _chart(table: pd.DataFrame, title: str) -> alt.TopLevelMixin:
    panels = [
        alt.Chart(width=WIDTH, height=alt.Step(STEP), title=alt.Title(task, fontSize=12))
        .mark_point(filled=True, size=50, aria=False)
        .transform_filter(alt.datum.task == task)
        .encode(
            x=alt.X("churn:Q", title="churn (% of items)"),
            y=alt.Y("technique:N", title=None, sort=alt.EncodingSortField("churn", order="ascending")),
            color=_role(alt.Color, [INK, SEED]),
            shape=_role(alt.Shape, ["square", "circle"]),
            tooltip=["technique:N", "churn:Q", "kappa:Q", "runs:Q"],
        )
        for task in table["task"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    ]
    chart: alt.TopLevelMixin = alt.concat(*panels, columns=2, data=rows()).resolve_scale(y="independent")
    return chart.properties(title=title)


def _role(channel: type, values: list[str]) -> object:
    return channel("role:N", title=None, scale=alt.Scale(domain=["baseline", "technique"], range=values))


def _alt(table: pd.DataFrame) -> str:
    lowest = [f"{row.technique} on {row.task} ({row.churn:.1f} %)" for row in table.nsmallest(3, "churn").itertuples()]
    top = table.loc[table["churn"].idxmax()]
    return (
        f"Dots, one a technique, in a panel for each of {table['task'].nunique()} tasks. Two seeds agree most with "
        f"{short_name_list(lowest)}, and least with {top['technique']} on {top['task']} "
        f"({top['churn']:.1f} % of the items)."
    )
