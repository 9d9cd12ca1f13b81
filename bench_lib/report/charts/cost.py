"""Stability against cost, a panel a task: what a steadier result is paid with, and which techniques are not beaten."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.report.charts.figure import Figure, rows, specified
from bench_lib.report.charts.style import FAILED, GREY, INK, SEED
from bench_lib.report.charts.words import listed, place
from bench_lib.report.keys import numbers
from bench_lib.report.markdown import plain
from bench_lib.report.notes import LEAST

COLUMNS = (
    *("task", "technique", "cost_ratio", "mad", "mad_low", "mad_high", "failed", "judged", "seeds", "front"),
    *("role", "enough"),
)
COLUMN_COUNT, WIDTH, HEIGHT = 2, 330, 250
ROLES = {"technique": (SEED, "circle"), "baseline": (INK, "square"), "failures among its runs": (FAILED, "cross")}

Floats = NDArray[np.float64]


def cost_figure(cells: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """MAD of the runs that converged against training time over the baseline's, a panel a task, with the Pareto front.

    Rows are cells of one group; columns of the data are `COLUMNS`, spreads in percent points. The front joins the cells
    without failures that no other such cell beats in both. None where no cell has both a spread and a relative cost.
    """
    spread, cost = numbers(cells["mad"]), numbers(cells["cost_ratio"])
    known = cells[np.isfinite(spread) & (cost > 0)]
    if known.empty:
        return None
    failed = known["failed"].to_numpy() > 0
    itself = known["technique"].astype(str).to_numpy() == baseline
    table = pd.DataFrame(
        {
            "task": known["task"].astype(str).map(plain).to_numpy(),
            "technique": known["label"].astype(str).map(plain).to_numpy(),
            "cost_ratio": numbers(known["cost_ratio"]).round(4),
            **{column: (100 * numbers(known[column])).round(4) for column in ("mad", "mad_low", "mad_high")},
            **{column: known[column].to_numpy() for column in ("failed", "judged")},
            "seeds": known["converged"].to_numpy(),
            "role": np.where(itself, "baseline", np.where(failed, "failures among its runs", "technique")),
            "enough": np.where(known["converged"].to_numpy() < LEAST, f"fewer than {LEAST} seeds", "enough seeds"),
        }
    )
    table["front"] = _front(table)
    title = f"{place(cells)}: stability against cost"
    subtitle = "line: Pareto front of the techniques without failures; pale: too few seeds to decide about spread"
    return Figure(name, title, _alt(table), specified(_chart(table, title, subtitle)), table[list(COLUMNS)])


def _front(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which cells no other cell without failures of their task beats in spread and cost."""
    found = np.zeros(len(table), dtype=bool)
    sound = table[table["failed"] == 0]
    for _, own in sound.groupby("task"):
        best = np.inf
        for row in own.sort_values(["cost_ratio", "mad", "technique"]).itertuples():
            if row.mad < best:
                found[row.Index], best = True, row.mad
    return found


def _chart(table: pd.DataFrame, title: str, subtitle: str) -> alt.TopLevelMixin:
    panels = [_panel(task) for task in sorted(set(table["task"]))]
    return alt.concat(*panels, columns=COLUMN_COUNT, data=rows()).properties(title=alt.Title(title, subtitle=subtitle))


def _panel(task: str) -> alt.LayerChart:
    base = (
        alt.Chart(width=WIDTH, height=HEIGHT, title=alt.Title(task, fontSize=12))
        .transform_filter(alt.FieldEqualPredicate(field="task", equal=task))
        .encode(
            x=alt.X(
                "cost_ratio:Q",
                title="training time (times the baseline's)",
                scale=alt.Scale(type="log", base=2, nice=False, padding=18),
                axis=alt.Axis(format="~g", tickCount=5),
            ),
            y=alt.Y("mad:Q", title="MAD (percent points, square-root scale)", scale=alt.Scale(type="sqrt")),
        )
    )
    front = base.transform_filter("datum.front")
    line = front.mark_line(interpolate="step-after", color=GREY, aria=False).encode(order="cost_ratio:Q")
    names = front.mark_text(align="left", dx=7, dy=-7, limit=150, aria=False).encode(text="technique:N")
    domain = list(ROLES)
    dots = base.mark_point(filled=True, size=70, aria=False).encode(
        color=alt.Color(
            "role:N", title=None, scale=alt.Scale(domain=domain, range=[look[0] for look in ROLES.values()])
        ),
        shape=alt.Shape(
            "role:N", title=None, scale=alt.Scale(domain=domain, range=[look[1] for look in ROLES.values()])
        ),
        opacity=alt.when("datum.enough == 'enough seeds'").then(alt.value(0.95)).otherwise(alt.value(0.5)),
        tooltip=[
            *("technique:N", alt.Tooltip("mad:Q", title="MAD"), alt.Tooltip("mad_low:Q", title="MAD, low (95 %)")),
            *(alt.Tooltip("mad_high:Q", title="MAD, high (95 %)"), alt.Tooltip("cost_ratio:Q", title="time ratio")),
            *("failed:Q", "judged:Q", alt.Tooltip("seeds:Q", title="converged")),
        ],
    )
    return alt.LayerChart(layer=[line, dots, names])


def _alt(table: pd.DataFrame) -> str:
    parts = []
    for task, own in table.groupby("task", sort=True):
        front = own[own["front"]].sort_values("cost_ratio")
        names = [f"{row.technique} ({row.cost_ratio:.2f} times, MAD {row.mad:.2f})" for row in front.itertuples()]
        parts.append(f"{task}: {listed(names) if names else 'none'}")
    return "MAD against training time. On the Pareto front, cheapest first: " + "; ".join(parts) + "."
