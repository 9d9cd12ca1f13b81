"""Stability against cost, one panel a task: what a steadier result is paid with."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

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
    panels = [(axis, _panel(axis, table[table["task"] == task], measure)) for axis, task in zip(axes, tasks)]
    for axis in axes[len(tasks) :]:
        axis.set_axis_off()
    against = ", ".join(sorted({shorten(a, 32) for a in table["against"] if a}))
    for axis in axes[: len(tasks)]:
        axis.set_ylabel(f"{MEASURES[measure]} over seeds (percent points)")
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
    _limits(axis, costs[known], spreads[known])
    _title(axis, str(cells["task"].iloc[0]), cells[~known])
    names = [_name(row) for row in cells[known].itertuples()]
    return list(zip(costs[known].tolist(), spreads[known].tolist(), names, strict=True))


def _limits(axis: Axes, costs: np.ndarray, spreads: np.ndarray) -> None:
    axis.margins(x=0.2)
    if spreads.size == 0:
        axis.set_xticks([])
        axis.set_yticks([])
    elif spreads.min() > 0 and spreads.max() > 10 * spreads.min():
        axis.set_yscale("log")
        axis.margins(y=0.15)
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_locator(NullLocator())
    else:
        axis.set_ylim(0, 1.15 * max(float(spreads.max()), 0.1))


def _title(axis: Axes, task: str, without: pd.DataFrame) -> None:
    """The task's name, and below it the cells that have no point, each with its reason."""
    lost = [_name(row) + (" (unsupported)" if row.unsupported else "") for row in without.itertuples()]
    note = textwrap.wrap("no spread or time: " + ", ".join(lost), 68, max_lines=3, placeholder=" …") if lost else []
    axis.set_title(shorten(task, 48), pad=6 + 12 * len(note))
    axis.text(0, 1.015, "\n".join(note), transform=axis.transAxes, va="bottom", fontsize=8.5, color=MUTED)


def _name(row: object) -> str:
    failed, judged = getattr(row, "failed"), getattr(row, "judged")
    return shorten(getattr(row, "label"), 28) + (f", {failed}/{judged} failed" if failed else "")


def _legend(relative: bool) -> Sequence[Line2D]:
    marks = [Line2D([], [], label="no run failed", **POINT), Line2D([], [], label="some runs failed", **POINT_FAILED)]
    return [Line2D([], [], label="baseline", **POINT_BASELINE), *marks] if relative else marks
