"""The seeds of each cell as dots, one line a technique: the spread on a scale of its own, failures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench_lib.errors import UnknownName, require
from bench_lib.report.keys import GROUP, KEY, Cell, gather, numbers
from bench_lib.report.markdown import plain, shorten
from bench_lib.report.scales import Scales, scales, scatter
from bench_lib.report.style import COLLAPSED, DIVERGED, DOT, INK, LOW, MEAN, MUTED, REFERENCE, styled
from bench_lib.report.tables import BASELINE, cells, ranked
from bench_lib.spec import Status


def seeds_figure(frame: pd.DataFrame, task: str, baseline: str = BASELINE) -> Figure:
    """Dots of one task's runs per technique, in percent points, with mean, interval, failures and the trivial score.

    The frame holds the runs of one (data, model, profile). The main panel shows the bulk of the runs that converged;
    what lies far below it, collapsed runs and the trivial score stand to its left on another scale, diverged runs
    beside them. Raises `UnknownName` for a task without runs.
    """
    if task not in set(frame["task"]):
        raise UnknownName("task with runs", task, set(frame["task"]))
    held = {c.key: c for c in gather(frame[frame["task"] == task])}
    groups = {key[: len(GROUP)] for key in held}
    require(len(groups) == 1, "groups in the frame of a figure", sorted(groups), "one (data, model, profile)")
    table = ranked(cells(frame[frame["task"] == task]), baseline)
    rows = [held[tuple(key)] for key in table[list(KEY)].itertuples(index=False)]
    with styled():
        return _draw(rows, table)


def _draw(rows: Sequence[Cell], table: pd.DataFrame) -> Figure:
    trivial = 100 * numbers(table["trivial_score"].dropna())[:1]
    survivors = np.concatenate([100 * c.scores() for c in rows])
    collapsed = np.concatenate([_collapsed(c) for c in rows])
    panels = scales(survivors, np.concatenate([collapsed, trivial]))
    figure = Figure(figsize=(9.0, 1.9 + 0.36 * len(rows)), layout="constrained")
    slot, axes = _panels(figure, panels, any(c.count(Status.DIVERGED) for c in rows))
    for axis in axes:
        _scores(axis, rows, table, trivial)
    if slot is not None:
        _diverged(slot, rows)
    _describe(figure, [slot, *axes] if slot is not None else axes, rows, table)
    return figure


def _panels(figure: Figure, panels: Scales, diverged: bool) -> tuple[Axes | None, list[Axes]]:
    """The diverged runs' panel if there is one, and those with a scale, all with the same rows."""
    shown = panels.shown()
    widths = [0.11] * diverged + [0.28 if limits is panels.low else 1.0 for limits in shown]
    if not widths:
        return None, [figure.add_subplot()]
    every = list(np.atleast_1d(figure.subplots(1, len(widths), sharey=True, width_ratios=widths)))
    slot, axes = (every[0], every[1:]) if diverged else (None, every)
    for axis, limits in zip(axes, shown, strict=True):
        axis.set_xlim(*limits)
        axis.locator_params(axis="x", nbins=3 if limits is panels.low else 8, steps=[1, 2, 2.5, 5, 10])
        if limits is panels.low:
            axis.set_facecolor(LOW)
            axis.set_xlabel("other scale", color=MUTED)
    return slot, axes


def _scores(axis: Axes, rows: Sequence[Cell], table: pd.DataFrame, trivial: np.ndarray) -> None:
    left, right = axis.get_xlim()

    def dots(xs: np.ndarray, ys: np.ndarray | float, mark: dict[str, Any]) -> None:
        # Shown whole in one panel only, rather than cut at the border of two.
        inside = (left <= xs) & (xs < right)
        axis.plot(xs[inside], np.broadcast_to(ys, xs.shape)[inside], clip_on=False, in_layout=False, **mark)

    for value in trivial:
        axis.axvline(value, **REFERENCE)
    for y, cell in enumerate(rows):
        scores, failed = 100 * cell.scores(), _collapsed(cell)
        dots(scores, y + scatter(len(scores), 0.5), DOT)
        dots(failed, y + scatter(len(failed), 0.5), COLLAPSED)
    ys = np.arange(len(rows))
    mean, low, high = (100 * numbers(table[name]) for name in ("mean", "mean_low", "mean_high"))
    axis.hlines(ys, low, high, color=INK, linewidth=1.6, zorder=4)
    dots(mean, ys, MEAN)


def _diverged(axis: Axes, rows: Sequence[Cell]) -> None:
    for y, cell in enumerate(rows):
        count = cell.count(Status.DIVERGED)
        axis.plot(np.linspace(-0.3, 0.3, count + 2)[1:-1], y + scatter(count, 0.5), **DIVERGED)
    axis.set_xlim(-0.5, 0.5)
    axis.set_xticks([0.0], ["diverged"])
    axis.grid(axis="x", visible=False)
    axis.set_facecolor(LOW)


def _describe(figure: Figure, axes: Sequence[Axes], rows: Sequence[Cell], table: pd.DataFrame) -> None:
    first, last = axes[0], axes[-1]
    first.set_yticks(range(len(rows)), [shorten(c.named()["label"], 32) for c in rows])
    first.set_ylim(len(rows) - 0.5, -0.5)
    for axis in axes:
        axis.tick_params(axis="y", length=0, labelleft=axis is first)
        axis.spines["left"].set_visible(axis is first)
    metric = plain(table["metric"].iloc[0])
    last.set_xlabel(f"{metric} (percent points)" if metric else "score (percent points)")
    for y, row in enumerate(table.itertuples()):
        last.text(1.01, y, _remark(row), transform=last.get_yaxis_transform(), va="center", fontsize=9, color=MUTED)
    title = shorten(f"{table['task'].iloc[0]}: final score of every seed", 80)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, handletextpad=0.4, columnspacing=1.4)


def _remark(row: Any) -> str:
    counts = {"failed": row.failed, "lost": row.lost, "unsupported": row.unsupported}
    return ", ".join([f"n = {row.judged}", *(f"{count} {name}" for name, count in counts.items() if count)])


def _collapsed(cell: Cell) -> np.ndarray:
    scores = 100 * numbers(cell.runs[cell.runs["status"] == Status.COLLAPSED]["score"])
    return np.asarray(scores[np.isfinite(scores)])


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], label="converged", **DOT),
        Line2D([], [], label="collapsed", **COLLAPSED),
        Line2D([], [], label="diverged", **DIVERGED),
        Line2D([], [], label="mean of the converged, 95 % interval", **{**MEAN, "linestyle": "-", "markersize": 10.0}),
        Line2D([], [], label="trivial score", **REFERENCE),
    ]
