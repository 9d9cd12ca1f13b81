"""The leaderboard in a notebook: tables that show themselves, frames for pandas, figures as Altair charts."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from bench_lib.report import columns
from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import GROUP, key_parts
from bench_lib.report.column import View
from bench_lib.report.figures import plan
from bench_lib.report.figures.figure import ROWS, Figure
from bench_lib.report.figures.style import LIGHT
from bench_lib.report.html.summaries import heading


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """The summary of a store, as the report has it."""

    summary: Summary

    def frame(self) -> pd.DataFrame:
        """One row a cell with all columns of `leaderboard.csv`, as numbers: scores and rates are fractions."""
        return self.summary.cells.copy()

    def runs(self) -> pd.DataFrame:
        """One row for each run that the leaderboard rests on."""
        return self.summary.runs.copy()

    def charts(self) -> dict[str, alt.TopLevelMixin]:
        """The figures of the report as Altair charts with their data, by name."""
        return {figure.name: chart(figure) for figure in plan.figures(self.summary)}

    def _repr_html_(self) -> str:
        return "".join(self._tables())

    def _tables(self) -> Iterator[str]:
        """A table for each task of each group, with the columns of the report's page."""
        for key, group in self.summary.cells.groupby(list(GROUP), sort=True, observed=True):
            yield f"<h3>{html.escape(heading(key_parts(key)))}</h3>"
            for task, own in group.groupby(group["task"].astype(str), sort=True):
                yield f"<h4>{html.escape(str(task))}</h4>"
                yield _table(columns.in_order(own, self.summary.baseline))


def chart(figure: Figure) -> alt.TopLevelMixin:
    """A figure as an Altair chart, with its data and the style of the report."""
    rows = {"datasets": {ROWS: _records(figure.data)}, "config": LIGHT}
    # Figures are validated by their own tests, which takes longer than to make them.
    made: alt.TopLevelMixin = alt.Chart.from_dict({**figure.spec, **rows}, validate=False)
    return made


def _table(cells: pd.DataFrame) -> str:
    shown = columns.shown_in(View.TASK, cells)
    rows = [[row["label"], *(str(column.value(row, View.TASK)) for column in shown)] for row in columns.as_rows(cells)]
    table: str = pd.DataFrame(rows, columns=["technique", *(one.head(View.TASK) for one in shown)]).to_html(
        index=False, border=0
    )
    return table


def _records(data: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON; missing values and values that are not finite are None."""
    rows = data.astype(object).where(data.notna(), None).to_dict("records")
    return [{str(name): None if _is_infinite(value) else value for name, value in row.items()} for row in rows]


def _is_infinite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
