"""Training curves as bands over the seeds and lines of failed runs, one panel per technique."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import Status
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.style import FAILED, SEED
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain
from bench_lib.report.prose import count

COLUMNS = ("technique", "progress", "median", "low", "high", "loss", "seed", "status")
BAND = (0.1, 0.9)
COLUMN_COUNT, WIDTH, HEIGHT = 5, 132, 100
UNSTABLE = [str(status) for status in Status if status.failed]

Floats = NDArray[np.float64]
Rows = list[tuple[object, ...]]

MOST = 20
"""Maximum number of drawn failed runs of a technique, spread over their seeds."""

DECADE = 10.0
"""Minimum ratio of losses for a logarithmic axis."""


def curves_figure(runs: pd.DataFrame, loss: NDArray[np.float32], name: str) -> Figure | None:
    """The training loss of one task's runs by the share of training: median and central 80 % of those that converged.

    Runs are rows of `Summary.runs` of one group and task, and loss their curves (runs, points). Columns of the data
    are `COLUMNS`: rows of bands have no seed, rows of failed runs have their own loss. None without any curve.
    """
    progress = np.round(100 * (np.arange(loss.shape[1]) + 0.5) / loss.shape[1], 2)
    labels, statuses = runs["label"].astype(str).map(plain).to_numpy(), runs["status"].astype(str).to_numpy()
    whole = np.isfinite(loss).all(axis=1) & (statuses == Status.CONVERGED)
    failed = np.isin(statuses.astype(str), UNSTABLE)
    seeds = runs["seed"].tolist()
    parts: list[Rows] = []
    for label in sorted(set(labels)):
        own = labels == label
        if (own & whole).any():
            parts.append(_band(label, progress, loss[own & whole]))
        parts += [
            _failed(label, loss[row], seeds[row], statuses[row], progress)
            for row in _drawn(np.flatnonzero(own & failed))
        ]
    table = pd.DataFrame([row for part in parts for row in part], columns=list(COLUMNS)).astype({"seed": "Int64"})
    if not np.isfinite(table[["median", "loss"]].to_numpy(dtype=float)).any():
        return None
    title = f"{place(runs, task=True)}: training loss"
    if table["seed"].nunique() and runs[failed].groupby("label", observed=True).size().max() > MOST:
        title += f", at most {MOST} failed runs a technique"
    return Figure(name, title, _alt(runs, failed), vega_lite(_chart(table, title)), table)


def _drawn(failed: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.unique(np.linspace(0, len(failed) - 1, min(MOST, len(failed))).round().astype(int))
    return np.asarray(failed[places])


def _band(label: str, progress: Floats, curves: NDArray[np.float32]) -> Rows:
    """The band of the converged runs, one row per point."""
    low, median, high = (_rounded(values) for values in np.quantile(curves, [BAND[0], 0.5, BAND[1]], axis=0))
    ended = str(Status.CONVERGED)
    return [(label, *point, math.nan, None, ended) for point in zip(progress, median, low, high, strict=True)]


def _failed(label: str, loss: NDArray[np.float32], seed: int, status: str, progress: Floats) -> Rows:
    """The curve of a failed run, one row per point."""
    known = _rounded(np.where(np.isfinite(loss), loss, math.nan))
    unknown = (math.nan, math.nan, math.nan)
    return [(label, at, *unknown, value, seed, status) for at, value in zip(progress, known, strict=True)]


def _rounded(values: NDArray[np.floating]) -> Floats:
    """Round to four significant digits, which are enough for a curve."""
    return np.array([float(f"{value:.4g}") for value in values.tolist()])


def _chart(table: pd.DataFrame, title: str) -> alt.TopLevelMixin:
    losses = table[["low", "high", "loss"]].to_numpy(dtype=float)
    known = losses[np.isfinite(losses)]
    wide = known.min() > 0 and known.max() / known.min() > DECADE
    # No rounder limits: on a logarithmic axis they would leave the curves a third of the panel.
    y = alt.Scale(type="log", nice=False) if wide else alt.Scale(zero=False)
    axis = alt.Axis(values=_ticks(known.min(), known.max()), format="~g") if wide else alt.Axis(tickCount=4)
    x = alt.X(
        "progress:Q",
        title="training (%)",
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(values=[0, 50, 100], grid=False),
    )
    base = alt.Chart(width=WIDTH, height=HEIGHT).encode(x=x)
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=["median of the seeds that converged, 10-90 %", "a failed run"], range=[SEED, FAILED]),
    )
    bands = base.transform_filter("!isValid(datum.seed)").transform_calculate(
        what="'median of the seeds that converged, 10-90 %'"
    )
    y_title = "loss (log scale)" if wide else "loss"
    low, median, own = (alt.Y(f"{name}:Q", title=y_title, scale=y, axis=axis) for name in ("low", "median", "loss"))
    converged = [
        bands.mark_area(opacity=0.3, color=SEED, aria=False).encode(y=low, y2="high:Q"),
        bands.mark_line(aria=False).encode(y=median, color=colour),
    ]
    failed = [
        base.transform_filter("isValid(datum.seed)")
        .transform_calculate(what="'a failed run'")
        .mark_line(strokeWidth=1, opacity=0.8, aria=False)
        .encode(y=own, color=colour, detail="seed:N", tooltip=["technique:N", "seed:Q", "status:N"])
    ]
    alone = table["seed"].notna()
    # A layer without data makes the browser warn of a scale without an extent.
    layers = [*(converged if not alone.all() else []), *(failed if alone.any() else [])]
    facet = alt.Facet("technique:N", title=None, header=alt.Header(labelLimit=WIDTH))
    return alt.layer(*layers, data=rows()).facet(facet=facet, columns=COLUMN_COUNT).properties(title=title)


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two bounds, and further values if these are few."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**n for n in exponents if low <= 10.0**n <= high]
    fine = [m * 10.0**n for n in exponents for m in (1, 2, 5) if low <= m * 10.0**n <= high]
    return powers if len(powers) > 2 else fine


def _alt(runs: pd.DataFrame, unstable: NDArray[np.bool_]) -> str:
    failed = runs[unstable]["label"].astype(str).value_counts().sort_index()
    techniques = count(runs["label"].nunique(), "technique")
    text = f"Training loss of {techniques} in small panels, as medians with bands over the seeds."
    if failed.empty:
        return f"{text} No run failed."
    worst = failed.sort_values(ascending=False, kind="stable")
    return (
        f"{text} {count(int(failed.sum()), 'failed run')} as lines of their own: {short_name_list(list(worst.index))}."
    )
