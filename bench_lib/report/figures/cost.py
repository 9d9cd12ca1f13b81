"""Stability against training time with the Pareto front, one panel per task."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.report.cells import numbers
from bench_lib.report.figures.figure import Figure, rows, vega_lite
from bench_lib.report.figures.style import FAILED, GREY, INK, SEED, X
from bench_lib.report.figures.words import place
from bench_lib.report.formatting import plain, shorten
from bench_lib.report.glossary import LEAST
from bench_lib.report.prose import count

COLUMNS = (
    *("task", "technique", "cost_ratio", "mad", "mad_low", "mad_high", "failed", "judged", "seeds", "front"),
    *("role", "enough"),
)
COLUMN_COUNT, WIDTH, HEIGHT = 2, 330, 250
LETTER, LINE = 6.5, 13.0
"""Width of a letter and height of a line of names, in pixels."""
ROLES = {"technique": (SEED, "circle"), "baseline": (INK, "square"), "failures among its runs": (FAILED, X)}

Floats = NDArray[np.float64]


def cost_figure(cells: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """MAD of the converged runs against training time over the baseline's, one panel per task, with the Pareto front.

    Rows are cells of one group; columns of the data are `COLUMNS`, spreads in percent points. The front joins the cells
    without failures that no other such cell beats in both. None where no cell has both a spread and a relative cost.
    """
    spread, cost = numbers(cells["mad"]), numbers(cells["cost_ratio"])
    shown = np.isfinite(spread) & (cost > 0)
    known, left_out = cells[shown], cells[~shown]
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
    if len(left_out):
        subtitle += f"; {count(len(left_out), 'cell')} without a spread or a time left out"
    text = _alt(table) + _without(left_out)
    return Figure(name, title, text, vega_lite(_chart(table, title, subtitle)), table[list(COLUMNS)])


def _front(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Mask of the cells that no other cell of their task without failures beats in both spread and cost."""
    found = np.zeros(len(table), dtype=bool)
    sound = table[table["failed"] == 0]
    for _, own in sound.groupby("task"):
        best = np.inf
        for row in own.sort_values(["cost_ratio", "mad", "technique"]).itertuples():
            if row.mad < best:
                found[row.Index], best = True, row.mad
    return found


def _chart(table: pd.DataFrame, title: str, subtitle: str) -> alt.TopLevelMixin:
    panels = [_panel(str(task), list(_named(own))) for task, own in table.groupby("task", sort=True)]
    return alt.concat(*panels, columns=COLUMN_COUNT, data=rows()).properties(title=alt.Title(title, subtitle=subtitle))


def _named(own: pd.DataFrame) -> Iterator[str]:
    """Members of the front whose names have room: the cheapest, the steadiest, then the others from the cheap end."""
    across, up = np.log(numbers(own["cost_ratio"])), np.sqrt(numbers(own["mad"]))
    x = (across - across.min()) / (np.ptp(across) or 1.0) * (WIDTH - 36)
    y = up / (up.max() or 1.0) * HEIGHT
    front = own.assign(x=x, y=y)[own["front"]].sort_values("cost_ratio")
    taken: list[tuple[float, float, float]] = []
    for number in dict.fromkeys([0, len(front) - 1, *range(len(front))] if len(front) else []):
        row = front.iloc[number]
        wide = LETTER * min(len(row["technique"]), 24)
        left = row["x"] - (wide if number else 0)
        box = (left, left + wide, row["y"])
        if not any(box[0] < b and a < box[1] and abs(box[2] - at) < LINE for a, b, at in taken):
            taken.append(box)
            yield str(row["technique"])


def _panel(task: str, named: list[str]) -> alt.LayerChart:
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
    # Below and left of the front is no sound cell: names hide none there. The cheapest has the axis on its left.
    ranked = front.transform_joinaggregate(least="min(cost_ratio)").transform_filter(
        alt.FieldOneOfPredicate(field="technique", oneOf=named)
    )
    cheapest = ranked.transform_filter("datum.cost_ratio == datum.least").mark_text(
        align="left", dx=-4, dy=12, limit=150, aria=False
    )
    dearer = ranked.transform_filter("datum.cost_ratio > datum.least").mark_text(
        align="right", dx=2, dy=12, limit=150, aria=False
    )
    names = [texts.encode(text="technique:N") for texts in (cheapest, dearer)[: len(named)]]
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
    # A layer without data makes the browser warn of a scale without an extent.
    return alt.LayerChart(layer=[*([line] if named else []), dots, *names])


def _alt(table: pd.DataFrame) -> str:
    parts = []
    for task, own in table.groupby("task", sort=True):
        front = own[own["front"]].sort_values("cost_ratio")
        names = [
            f"{shorten(row.technique, 24)} ({row.cost_ratio:.2f} times, MAD {row.mad:.2f})"
            for row in front.itertuples()
        ]
        parts.append(
            f"{task}: {', '.join(names[:4]) or 'none'}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        )
    return "MAD against training time. On the Pareto front, cheapest first: " + "; ".join(parts) + "."


def _without(cells: pd.DataFrame) -> str:
    """The techniques that are not drawn, with their failures."""
    if cells.empty:
        return ""
    names = [
        f"{plain(row.label)} on {plain(row.task)}" + (f", {row.failed} of {row.judged} failed" if row.failed else "")
        for row in cells.sort_values(["failed", "task", "label"], ascending=[False, True, True]).itertuples()
    ]
    return f" Without a spread or a time, and not drawn: {'; '.join(names[:3])}" + (
        f"; and {len(names) - 3} more." if len(names) > 3 else "."
    )
