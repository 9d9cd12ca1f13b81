"""Stability against cost, one panel a task: what a steadier result is paid with."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench_lib.errors import BadValue, require
from bench_lib.report.keys import GROUP, numbers
from bench_lib.report.labels import Label, place
from bench_lib.report.markdown import shorten
from bench_lib.report.style import MUTED, POINT, POINT_BASELINE, POINT_FAILED, styled

MEASURES = {"mad": "MAD", "sd": "SD"}
COLUMNS = 2
FAR = 8.0
"""Ratio of spreads from which a logarithmic scale shows them better."""


def cost_figure(table: pd.DataFrame, measure: str = "mad") -> Figure:
    """Spread of the runs that converged against training time, a panel a task, from the rows of `tables.joined`.

    Time is relative to the baseline's where some cell has one to compare with, else in seconds. `measure` is mad or sd.
    Cells without a spread are named below the panel's title, and those with failures say how many. Raises `BadValue`
    for other measures, and for rows of no or several (data, model, profile).
    """
    require(measure in MEASURES, "measure of spread", measure, ", ".join(MEASURES))
    groups = table[list(GROUP)].drop_duplicates()
    if len(groups) != 1:
        raise BadValue("number of groups in a figure's cells", len(groups), "one (data, model, profile)")
    relative = bool(table["cost_ratio"].notna().any())
    with styled():
        return _draw(table.assign(_cost=table["cost_ratio" if relative else "train_seconds"]), measure, relative)


def _draw(table: pd.DataFrame, measure: str, relative: bool) -> Figure:
    tasks = sorted(set(table["task"]))
    columns = min(COLUMNS, len(tasks))
    lines = math.ceil(len(tasks) / columns)
    figure = Figure(figsize=(5.6 * columns, 0.6 + 3.9 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    pairs = zip(axes, tasks, strict=False)
    panels = [(axis, _panel(axis, table[table["task"] == task], measure)) for axis, task in pairs]
    logarithmic = _logarithmic(table, measure)
    for axis in axes[len(tasks) :]:
        axis.set_axis_off()
    against = ", ".join(sorted({shorten(a, 32) for a in table["against"] if a}))
    for axis in axes[: len(tasks)]:
        axis.set_ylabel(f"{MEASURES[measure]} over seeds (percent points{', log scale' if logarithmic else ''})")
        _limits(axis, logarithmic)
        axis.set_xlabel(f"training time relative to {against}" if relative else "training time, median (s)")
    figure.legend(handles=_legend(relative), loc="outside lower center", ncols=3)
    place(figure, panels)
    return figure


def _panel(axis: Axes, cells: pd.DataFrame, measure: str) -> list[Label]:
    """Draws the points of one task; answers with the labels they are to get."""
    spreads, costs = 100 * numbers(cells[measure]), numbers(cells["_cost"])
    known = np.isfinite(spreads) & np.isfinite(costs)
    for x, y, row in zip(costs[known], spreads[known], cells[known].itertuples(), strict=True):
        mark = POINT_BASELINE if row.label == row.against else POINT_FAILED if row.failed else POINT
        axis.plot(x, y, **mark)
    _title(axis, str(cells["task"].iloc[0]), cells[~known])
    names = [_name(row) for row in cells[known].itertuples()]
    return list(zip(costs[known].tolist(), spreads[known].tolist(), names, strict=True))


def _logarithmic(table: pd.DataFrame, measure: str) -> bool:
    """Whether one task's spreads differ so much that the small ones would be hidden; no zero may be among them."""
    spreads = table.groupby("task")[measure]
    return bool((spreads.max() > FAR * spreads.min()).any() and (table[measure].dropna() > 0).all())


def _limits(axis: Axes, logarithmic: bool) -> None:
    axis.margins(x=0.2)
    if not axis.lines:
        axis.set_xticks([])
        axis.set_yticks([])
    elif logarithmic:
        axis.set_yscale("log")
        axis.margins(y=0.15)
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_locator(NullLocator())
    else:
        axis.set_ylim(0, max(1.12 * axis.dataLim.ymax, 0.1))


def _title(axis: Axes, task: str, without: pd.DataFrame) -> None:
    """The task's name, and below it the cells that have no point, each with its reason."""
    lost = [_name(row) + (" (unsupported)" if row.unsupported else "") for row in without.itertuples()]
    note = textwrap.wrap("no spread or time: " + ", ".join(lost), 68, max_lines=3, placeholder=" …") if lost else []
    axis.set_title(shorten(task, 48), pad=6 + 12 * len(note))
    axis.text(0, 1.015, "\n".join(note), transform=axis.transAxes, va="bottom", fontsize=8.5, color=MUTED)


def _name(row: Any) -> str:
    return shorten(row.label, 28) + (f", {row.failed}/{row.judged} failed" if row.failed else "")


def _legend(relative: bool) -> Sequence[Line2D]:
    marks = [Line2D([], [], label="no run failed", **POINT), Line2D([], [], label="some runs failed", **POINT_FAILED)]
    return [Line2D([], [], label="baseline", **POINT_BASELINE), *marks] if relative else marks
