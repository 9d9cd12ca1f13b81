"""The forest plot of what is decided: ratios of spreads and differences of failure rates with intervals, and costs."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis.opening import in_order
from bench_lib.report.cells import GROUP, numbers
from bench_lib.report.figures.figure import Figure, reference, rows, vega_lite
from bench_lib.report.figures.style import FAILED, FOURTH, GREY, SEED
from bench_lib.report.figures.words import short_name_list
from bench_lib.report.formatting import plain, shorten
from bench_lib.report.prose import count
from bench_lib.stats.verdict import Stability

COLUMNS = (
    *("row", "task", "technique", "verdict", "seeds", "ratio", "ratio_low", "ratio_high"),
    *("difference", "difference_low", "difference_high", "cost", "shown"),
)
STYLES = {
    Stability.MORE: (SEED, "circle"),
    Stability.LESS: (FAILED, "diamond"),
    Stability.EQUIVALENT: (GREY, "square"),
    "lower scores": (FOURTH, "triangle-down"),
}
MOST = 40
"""The largest number of rows that are drawn."""
STEP, WIDTH, NARROW, LETTERS = 17, 260, 190, 44


def forest_figure(contrasts: pd.DataFrame, baseline: str, name: str) -> Figure | None:
    """The decided contrasts of real or of embedded data, a row each; None without any.

    Rows are those of `report.analysis.contrasts`. `ratio` is the MAD ratio, `difference` that of the failure rates in
    percent points, each with its 95 % interval; `cost` is the training time over the baseline's.
    """
    known = in_order(contrasts[contrasts["decided"]])
    if known.empty:
        return None
    several = [column for column in GROUP[1:] if known[column].nunique() > 1]
    names = [_name(row, several) for row in known.to_dict("records")]
    table = pd.DataFrame(
        {
            "row": [f"{number:03d} {text}" for number, text in enumerate(names)],
            "task": known["task"].astype(str).map(plain),
            "technique": known["label"].astype(str).map(plain),
            "verdict": [one if one in STYLES else "lower scores" for one in known["verdict"]],
            "seeds": known["shared"].astype(int),
            **{f"ratio{end}": numbers(known[f"mad_ratio{end}"]).round(4) for end in ("", "_low", "_high")},
            **{f"difference{end}": 100 * numbers(known[f"failure_difference{end}"]) for end in ("", "_low", "_high")},
            "cost": numbers(known["cost_ratio"]).round(3),
            "shown": np.arange(len(known)) < MOST,
        }
    )
    for end in ("", "_low", "_high"):
        table[f"difference{end}"] = table[f"difference{end}"].round(2)
        # Without spread on one side the ratio is 0 or infinite, which a logarithm has no place for.
        table[f"ratio{end}"] = table[f"ratio{end}"].where(np.isfinite(table[f"ratio{end}"]) & (table["ratio"] > 0))
    title = f"Decided against {plain(baseline)}: {count(len(table), 'contrast')}"
    left_out = len(table) - MOST
    more = f"; {left_out} more in the data" if left_out > 0 else ""
    subtitle = f"lines: 95 % intervals of each contrast alone{more}"
    return Figure(name, title, _alt(table), vega_lite(_chart(table, title, subtitle)), table[list(COLUMNS)])


def _name(row: dict[str, object], several: list[str]) -> str:
    where = ", ".join(str(row[column]) for column in ("task", *several))
    return shorten(f"{row['label']}, {where}", LETTERS)


def _chart(table: pd.DataFrame, title: str, subtitle: str) -> alt.TopLevelMixin:
    kinds = [kind for kind in STYLES if kind in set(table["verdict"])]
    looks = [STYLES[kind] for kind in kinds]
    label = alt.Axis(labelExpr="substring(datum.label, 4)", labelLimit=330)
    # All rows in each panel, also those of which one has no value.
    every = alt.Scale(domain=table[table["shown"]]["row"].tolist())
    names = alt.Y("row:N", title=None, scale=every, axis=label)
    hidden = alt.Y("row:N", title=None, scale=every, axis=None)
    ratio = _panel(
        ("ratio", "MAD ratio", alt.Scale(type="log", nice=False, padding=10)),
        (names, 1.0, WIDTH),
        (kinds, looks),
    )
    difference = _panel(
        ("difference", "difference of failure rates (points)", alt.Scale(padding=10)),
        (hidden, 0.0, NARROW),
        (kinds, looks),
    )
    # A missing cost is a dash.
    text = alt.Chart(width=46, height=alt.Step(STEP), title=alt.Title("time", fontSize=11))
    text = text.transform_filter("datum.shown").transform_calculate(
        label=f"isValid(datum.cost) ? format(datum.cost, '.2f') + '\u00d7' : '{md.DASH}'"
    )
    cost = text.mark_text(align="left", aria=False).encode(y=hidden, x=alt.value(4), text="label:N")
    chart: alt.TopLevelMixin = alt.hconcat(ratio, difference, cost, data=rows(), spacing=12)
    return chart.properties(title=alt.Title(title, subtitle=subtitle))


def _panel(
    what: tuple[str, str, alt.Scale], where: tuple[alt.Y, float, int], styles: tuple[list[str], list[tuple[str, str]]]
) -> alt.LayerChart:
    """Points with intervals: of a measure with title and scale, on rows in a width with a reference, in styles."""
    (measure, title, scale), (y, line, width), (kinds, looks) = what, where, styles
    colours, shapes = (alt.Scale(domain=kinds, range=[look[part] for look in looks]) for part in (0, 1))
    base = alt.Chart(width=width, height=alt.Step(STEP)).transform_filter("datum.shown").encode(y=y)
    known = base.transform_filter(f"isValid(datum.{measure}_low) && isValid(datum.{measure}_high)")
    colour = alt.Color("verdict:N", title=None, scale=colours)
    ends = known.mark_rule(strokeWidth=1.6, aria=False).encode(
        x=alt.X(f"{measure}_low:Q", title=title, scale=scale),
        x2=f"{measure}_high:Q",
        color=alt.Color("verdict:N", scale=colours),
    )
    dots = base.mark_point(filled=True, size=60, opacity=1, aria=False).encode(
        x=alt.X(f"{measure}:Q", title=title, scale=scale),
        color=colour,
        shape=alt.Shape("verdict:N", title=None, scale=shapes),
        tooltip=[
            *("technique:N", "task:N", "verdict:N", "seeds:Q"),
            *(f"{measure}{end}:Q" for end in ("", "_low", "_high")),
        ],
    )
    return alt.LayerChart(layer=[reference("x", line), ends, dots])


def _alt(table: pd.DataFrame) -> str:
    counts = table["verdict"].value_counts()
    every = ", ".join(f"{counts[kind]} {kind}" for kind in STYLES if kind in counts)
    steady = [
        f"{row.technique} on {row.task} ({row.ratio:.2f})"
        for row in table[table["verdict"] == Stability.MORE].head(3).itertuples()
    ]
    best = f" The smallest MAD ratios of those more stable: {short_name_list(steady)}." if steady else ""
    return f"Forest plot of {count(len(table), 'decided contrast')}: {every}.{best}"
