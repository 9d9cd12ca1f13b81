"""Stability against the number of training examples."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench_lib.report.charts.figure import Figure, marked, rows, specified
from bench_lib.report.charts.words import listed
from bench_lib.report.markdown import plain

COLUMNS = ("task", "technique", "train_examples", "mad", "failure_rate", "seeds")
MOST = 8
"""Lines that a panel can hold and still be told apart."""
WIDTH, HEIGHT = 300, 190


def sizes_figure(table: pd.DataFrame, where: str, name: str) -> Figure | None:
    """MAD (percent points) and failure rate (percent) by the size of the training set, a line a technique.

    Rows hold the `COLUMNS`, as fractions, of cells that differ in their size alone; the techniques with most sizes are
    drawn, and all are in the data; `where` names their group. None for fewer than two sizes.
    """
    if table["train_examples"].nunique() < 2:
        return None
    shown = pd.DataFrame(
        {
            "task": table["task"].astype(str).map(plain),
            "technique": table["technique"].astype(str).map(plain),
            "train_examples": table["train_examples"].astype(int),
            "mad": (100 * table["mad"].astype(float)).round(4),
            "failure_rate": (100 * table["failure_rate"].astype(float)).round(3),
            "seeds": table["seeds"].astype(int),
        }
    ).sort_values(list(COLUMNS[:3]), ignore_index=True)
    counts = shown.groupby("technique").size()
    drawn = sorted(counts.sort_values(ascending=False, kind="stable").index[:MOST])
    title = f"{plain(where)}: stability against the number of training examples"
    return Figure(name, title, _alt(shown, drawn), specified(_chart(drawn, title)), shown)


def _chart(drawn: list[str], title: str) -> alt.TopLevelMixin:
    kept = alt.FieldOneOfPredicate(field="technique", oneOf=drawn)
    panels = [
        alt.Chart(width=WIDTH, height=HEIGHT)
        .transform_filter(kept)
        .encode(
            x=alt.X("train_examples:Q", title="training examples", scale=alt.Scale(type="log", nice=False, padding=12)),
            y=alt.Y(f"{column}:Q", title=label),
            tooltip=["task:N", "technique:N", "train_examples:Q", "mad:Q", "failure_rate:Q", "seeds:Q"],
        )
        for column, label in (("mad", "MAD (percent points)"), ("failure_rate", "failed (%)"))
    ]
    row = alt.Row("task:N", title=None)
    faceted = [marked(p, "technique").facet(row=row, data=rows()).resolve_scale(y="independent") for p in panels]
    return alt.hconcat(*faceted).properties(title=title)


def _alt(shown: pd.DataFrame, drawn: list[str]) -> str:
    sizes = shown["train_examples"]
    return (
        f"Lines of MAD and of the failure rate from {sizes.min():,} to {sizes.max():,} training examples, on "
        f"{listed(sorted(set(shown['task'])))}, for {listed(drawn)}."
    )
