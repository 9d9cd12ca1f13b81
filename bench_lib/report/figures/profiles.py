"""Performance profiles: the share of runs of a group above a threshold of the normalised score."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.report.cells import Cell, split_cells
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain
from bench_lib.stats.profiles import profile_share, score_profile

COLUMNS = ("technique", "tau", "share", "low", "high", "tasks", "runs", "drawn")
MOST = 8
"""Maximum number of profiles in a panel."""
THRESHOLDS = np.round(np.linspace(0, 1.1, 45), 4)
RESAMPLES = 999
WIDTH, HEIGHT = 560, 300

Floats = NDArray[np.float64]


def profiles_figure(runs: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """Share of the runs of one group whose normalised score is above each threshold, one line per technique.

    Scores of a task run from 0, its constant baseline, to 1, the best mean of any technique; failed runs are above
    nothing. Only techniques that were judged on every task have a profile; drawn are the baseline's and those with the
    largest area below them, and all are in the data (`COLUMNS`, shares in percent). None for fewer than two techniques,
    or where some task has no constant baseline. Bands are bootstrap intervals at 95 %, of what is drawn. Source:
    Agarwal et al. 2021.
    """
    cells = [cell for cell in split_cells(runs) if cell.judged()]
    tasks = sorted({cell.id_fields()["task"] for cell in cells})
    bounds = {task: _bounds([cell for cell in cells if cell.id_fields()["task"] == task]) for task in tasks}
    whole = _whole(cells, tasks)
    if len(whole) < 2 or not all(high > low for low, high in bounds.values()):
        return None
    scaled = {label: _scaled(own, bounds) for label, own in whole.items()}
    shares = {label: profile_share(own.scores, THRESHOLDS, own.failures) for label, own in scaled.items()}
    areas = pd.Series({label: np.round(100 * one, 2).mean() for label, one in shares.items()}, dtype=float)
    areas = areas.sort_index().sort_values(ascending=False, kind="stable")
    first = [label for label in areas.index if whole[label][0].id_fields()["technique"] == baseline]
    drawn = sorted([*first, *(label for label in areas.index if label not in first)][:MOST])
    table = pd.concat([_profile(label, own, label in drawn) for label, own in scaled.items()], ignore_index=True)
    title = f"{place(runs)}: performance profiles over {len(tasks)} tasks"
    return Figure(name, title, _alt(areas, len(tasks)), vega_lite(_chart(drawn, title)), table[list(COLUMNS)])


def _bounds(cells: list[Cell]) -> tuple[float, float]:
    """The constant baseline of a task and the best mean; (nan, nan) where either is unknown."""
    constant_baseline = np.concatenate([cell.numbers("trivial_score") for cell in cells])
    means = [cell.scores().mean() for cell in cells if cell.scores().size]
    known = constant_baseline[np.isfinite(constant_baseline)]
    return (float(known[0]), float(max(means))) if known.size and means else (np.nan, np.nan)


def _whole(cells: list[Cell], tasks: list[str]) -> dict[str, list[Cell]]:
    """The cells of each technique with one judged cell on every task, in the order of the tasks."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.id_fields()["technique"], []).append(cell)
    named = {name: [cell.id_fields()["task"] for cell in own] for name, own in found.items()}
    return {plain(name): own for name, own in found.items() if sorted(named[name]) == tasks}


@dataclass(frozen=True, eq=False)
class Scaled:
    """A technique's normalised scores and its failures, for each task."""

    scores: list[Floats]
    failures: list[int]


def _scaled(cells: list[Cell], bounds: dict[str, tuple[float, float]]) -> Scaled:
    scores = []
    for cell in cells:
        low, high = bounds[cell.id_fields()["task"]]
        scores.append((cell.scores() - low) / (high - low))
    return Scaled(scores, [cell.failed() for cell in cells])


def _profile(label: str, own: Scaled, drawn: bool) -> pd.DataFrame:
    """One row per threshold; the band is computed only where it is drawn, since it is slow."""
    if drawn:
        found = score_profile(own.scores, THRESHOLDS, np.random.default_rng(0), own.failures, resamples=RESAMPLES)
        parts = {"share": found.share, "low": found.low, "high": found.high}
    else:
        unknown = np.full(len(THRESHOLDS), np.nan)
        share = profile_share(own.scores, THRESHOLDS, own.failures)
        parts = {"share": share, "low": unknown, "high": unknown}
    shares = {name: np.round(100 * part, 2) for name, part in parts.items()}
    runs = sum(map(len, own.scores)) + sum(own.failures)
    whole = {"technique": label, "tau": THRESHOLDS, **shares, "tasks": len(own.scores), "runs": runs, "drawn": drawn}
    return pd.DataFrame(whole)


def _chart(drawn: list[str], title: str) -> alt.TopLevelMixin:
    base = (
        alt.Chart(width=WIDTH, height=HEIGHT)
        .transform_filter("datum.drawn")
        .encode(
            x=alt.X("tau:Q", title="normalised score (0: constant baseline, 1: best mean of any technique)"),
            color=alt.Color(
                "technique:N", title=None, scale=alt.Scale(domain=drawn), legend=alt.Legend(symbolOpacity=1)
            ),
        )
    )
    y = alt.Scale(domain=[0, 100])
    title_y = "runs above it (%)"
    band = base.mark_area(opacity=0.12, aria=False).encode(y=alt.Y("low:Q", scale=y, title=title_y), y2="high:Q")
    line = base.mark_line(interpolate="step-after", aria=False).encode(
        y=alt.Y("share:Q", scale=y, title=title_y),
        strokeDash=alt.StrokeDash("technique:N", title=None, scale=alt.Scale(domain=drawn)),
        tooltip=["technique:N", "tau:Q", "share:Q", "low:Q", "high:Q", "runs:Q"],
    )
    return alt.layer(band, line, data=rows()).properties(
        title=alt.Title(title, subtitle="bands: bootstrap of the runs within each task, 95 %, for each threshold")
    )


def _alt(areas: pd.Series[float], tasks: int) -> str:
    best = [f"{label} ({area:.0f} %)" for label, area in areas.head(3).items()]
    return (
        f"Falling lines: the share of runs above each normalised score, over {tasks} tasks. The largest mean shares "
        f"have {short_name_list(best)}; {len(areas)} techniques were judged on every task."
    )
