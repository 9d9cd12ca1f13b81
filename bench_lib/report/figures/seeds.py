"""The runs of each technique on one task as dots, including failed ones."""

from __future__ import annotations

import json
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import Status
from bench_lib.report.cells import numbers
from bench_lib.report.figures.figure import Figure, reference, rows, vega_lite
from bench_lib.report.figures.scales import Range, scales
from bench_lib.report.figures.style import STATUS_SHAPES, STATUSES
from bench_lib.report.figures.words import place, short_name_list
from bench_lib.report.formatting import plain
from bench_lib.report.glossary import LEAST
from bench_lib.report.prose import count
from bench_lib.stats.spread import mad

COLUMNS = ("technique", "seed", "score", "status", "run")
MOST = 60
"""Maximum number of drawn runs of a technique, at even ranks of the score."""

STEP, WIDTH, LOW, NO_SCORE = 18, 460, 150, 46
GOLDEN = 0.6180339887498949
"""The fractions of its multiples are evenly spread, so that neighbouring seeds do not overlap."""

LOST = [str(status) for status in Status if status.lost_to_infrastructure]
UNJUDGED = [*LOST, str(Status.UNSUPPORTED)]
UNSTABLE = [str(status) for status in Status if status.failed]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """A panel: the filter of its runs, its axis limits in percent, and its width."""

    shows: str
    limits: Range | None
    width: int
    title: str
    labelled: bool


def seeds_figure(runs: pd.DataFrame, baseline: str, name: str) -> Figure:
    """Final scores of a task's runs in percent, one row per technique: the baseline first, then by failures and MAD.

    The runs are rows of `Summary.runs` of one group and task. Columns of the data are `COLUMNS`: `technique` is the
    cell's label, and `run` the id. What lies far below the bulk stands on a scale of its own, and runs without a score
    beside it; the constant baseline is dashed, the mean of the runs that converged is a bar.
    """
    scores = (100 * numbers(runs["score"])).round(3)
    table = pd.DataFrame(
        {
            "technique": runs["label"].astype(str).map(plain).to_numpy(),
            "seed": runs["seed"].to_numpy(),
            "score": np.where(np.isfinite(scores), scores, np.nan),
            "status": runs["status"].astype(str).to_numpy(),
            "run": runs["run_id"].astype(str).to_numpy(),
        }
    )
    first = set(table["technique"][runs["technique"].astype(str).to_numpy() == baseline])
    ranks = {str(label): _rank(own) for label, own in table.groupby("technique", sort=True)}
    order = sorted(ranks, key=lambda label: (label not in first, *ranks[label], label))
    drawn = _thinned(table)
    metric = plain(max(runs["metric"].astype(str), default="")) or "score"
    constant_baseline = 100 * numbers(runs["trivial_score"].dropna())[:1]
    title = f"{place(runs, task=True)}: final score of every seed"
    if len(drawn) < len(table):
        title = f"{place(runs, task=True)}: final scores, {MOST} seeds of each technique at even ranks"
    # If not all runs are drawn, the mean of the drawn ones would be wrong.
    means = _averages(table) if len(drawn) < len(table) else {}
    subtitle = "bar: mean of the runs that converged; dashes: constant baseline"
    chart = _chart(drawn, order, metric, constant_baseline, means).properties(title=alt.Title(title, subtitle=subtitle))
    return Figure(name, title, _alt(table, order, first), vega_lite(chart), drawn)


def _rank(own: pd.DataFrame) -> tuple[float, float]:
    """Failure rate and MAD of a technique's runs as sort key; unknown ones come last."""
    statuses = own["status"].tolist()
    judged = sum(status not in UNJUDGED for status in statuses)
    failed = sum(status in UNSTABLE for status in statuses)
    scores = own["score"].to_numpy()[[status == Status.CONVERGED for status in statuses]]
    return (failed / judged if judged else np.inf, mad(scores) if scores.size > 1 else np.inf)


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST` runs of each technique: the lowest, the highest, and others at even ranks between them."""
    ranked = table.sort_values(["technique", "score", "seed"], na_position="first", kind="stable")
    chosen = []
    for _, own in ranked.groupby("technique", sort=True):
        places = np.unique(np.linspace(0, len(own) - 1, min(MOST, len(own))).round().astype(int))
        chosen.append(own.iloc[places])
    return pd.concat(chosen).sort_index().reset_index(drop=True)[list(COLUMNS)]


def _averages(table: pd.DataFrame) -> dict[str, float]:
    """The mean score of the converged runs of each technique."""
    converged = table[table["status"] == Status.CONVERGED].groupby("technique", sort=True)["score"].mean()
    return {str(technique): round(float(score), 3) for technique, score in converged.items()}


def _chart(
    drawn: pd.DataFrame, order: list[str], metric: str, constant_baseline: Floats, means: dict[str, float]
) -> alt.TopLevelMixin:
    converged = drawn["status"] == Status.CONVERGED
    others = numbers(drawn["score"][~converged].dropna())
    limits = scales(numbers(drawn["score"][converged]), np.concatenate([others, constant_baseline]))
    border = limits.main[0] if limits.main else np.inf
    panels = []
    if drawn["score"].isna().any():
        panels.append(Panel("!isValid(datum.score)", None, NO_SCORE, "no score", True))
    if limits.low:
        below = f"isValid(datum.score) && datum.score < {border}" if limits.main else "isValid(datum.score)"
        panels.append(Panel(below, limits.low, LOW, f"{metric} (%), far below", not panels))
    if limits.main:
        above = f"isValid(datum.score) && datum.score >= {border}"
        panels.append(Panel(above, limits.main, WIDTH, f"{metric} (%)", not panels))
    drawn_panels = [_panel(panel, order, constant_baseline, means) for panel in panels]
    chart: alt.TopLevelMixin = alt.hconcat(*drawn_panels, data=rows(), spacing=6).resolve_scale(y="shared")
    return chart


def _panel(panel: Panel, order: list[str], constant_baseline: Floats, means: dict[str, float]) -> alt.LayerChart:
    labels = alt.Axis(labels=panel.labelled, ticks=False, domain=False, grid=True)
    y = alt.Y("technique:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=labels)
    if panel.limits is None:
        bare = alt.Axis(labels=False, ticks=False, grid=False)
        x = alt.X("side:Q", title=panel.title, scale=alt.Scale(domain=[0, 1]), axis=bare)
    else:
        x = alt.X(
            "score:Q",
            title=panel.title,
            scale=alt.Scale(domain=list(panel.limits), nice=False),
            axis=alt.Axis(tickCount=5),
        )
    declined = f"datum.status == '{Status.UNSUPPORTED}' ? 'declined' : datum.status"
    ended = f"indexof({LOST}, datum.status) >= 0 ? 'lost' : {declined}"
    base = alt.Chart(width=panel.width, height=alt.Step(STEP)).transform_filter(panel.shows)
    spread = f"(datum.seed * {GOLDEN} + 0.5) % 1"
    dots = (
        base.transform_calculate(ended=ended, jitter=f"{spread} - 0.5", side=f"0.15 + 0.7 * (({spread}) * 7 % 1)")
        .mark_point(filled=True, size=34, fillOpacity=0.75, aria=False)
        .encode(
            x=x,
            y=y,
            yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-0.75, 0.75])),
            color=alt.Color("ended:N", title=None, scale=_scale(list(STATUSES.values()))),
            shape=alt.Shape("ended:N", title=None, scale=_scale(list(STATUS_SHAPES.values()))),
            tooltip=["technique:N", "seed:Q", alt.Tooltip("score:Q", title="score (%)"), "status:N"],
        )
    )
    layers: list[alt.Chart] = [dots]
    if panel.limits is not None:
        layers.append(_means(panel, means).encode(x=alt.X("average:Q"), y=y))
        if constant_baseline.size and panel.limits[0] <= constant_baseline[0] <= panel.limits[1]:
            layers.append(reference("x", float(constant_baseline[0].round(3))))
    return alt.LayerChart(layer=layers)


def _means(panel: Panel, known: dict[str, float]) -> alt.Chart:
    """Marks of the mean of all converged runs of a technique, in the panel of its value."""
    within = panel.shows.replace("datum.score", "datum.average")
    found = (
        alt.Chart()
        .transform_filter("datum.status == 'converged'")
        .transform_aggregate(average="mean(score)", groupby=["technique"])
    )
    if known:
        found = found.transform_calculate(average=f"({json.dumps(known)})[datum.technique]")
    means: alt.Chart = found.transform_filter(within).mark_tick(thickness=2.5, size=STEP * 0.75, aria=False)
    return means


def _scale(values: list[str]) -> alt.Scale:
    """Shape and colour by status."""
    return alt.Scale(domain=list(STATUSES), range=values)


def _alt(table: pd.DataFrame, order: list[str], first: set[str]) -> str:
    failed = table["status"].isin(UNSTABLE)
    converged = numbers(table["score"][table["status"] == Status.CONVERGED])
    text = f"A strip of dots for each of {count(len(order), 'technique')}, {count(len(table), 'run')}."
    if converged.size:
        text += f" Runs that converged score from {converged.min():.1f} to {converged.max():.1f} %."
    if failed.any():
        names = table["technique"][failed].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        text += f" {count(int(failed.sum()), 'run')} failed: {short_name_list(list(names.index))}."
    counts = table[table["status"] == Status.CONVERGED]["technique"].value_counts()
    steady = [label for label in order if label not in first and counts.get(label, 0) >= LEAST]
    few = f" No technique has the {LEAST} converged runs that a ranking takes."
    return text + (f" Fewest failures, then lowest MAD: {short_name_list(steady[:1])}." if steady else few)
