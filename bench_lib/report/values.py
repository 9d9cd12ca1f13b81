"""Formats of leaderboard values, shared by Markdown, page and command line."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench_lib.report import formatting as md
from bench_lib.report.glossary import FEW, LEAST, NOISE, UNEQUAL
from bench_lib.report.prose import count
from bench_lib.stats.verdict import Location, Stability

Row = Mapping[str, Any]
"""A cell with its contrast and verdict: values by column."""

DECIDED = (Stability.MORE, Stability.LESS, Stability.EQUIVALENT)
UNKNOWN = math.nan


@dataclass(frozen=True)
class Value:
    """A formatted value: its text, a mark behind it, and its 95 % interval.

    `order` is the sort key if the text does not begin with it; `kind` is its use on the page: `runs` opens the runs of
    the cell, others are CSS classes.
    """

    text: str
    interval: str = ""
    mark: str = ""
    order: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.text}{self.mark} {self.interval}".strip()


Format = Callable[[Row], Value]
NOTHING = Value(md.DASH)


def text(name: str) -> Format:
    """A text column, unchanged."""
    return lambda row: Value(md.plain(row.get(name) or "") or md.DASH)


def number(name: str, digits: int = 2, factor: float = 1) -> Format:
    """A number times a factor, with `digits` decimals."""
    return lambda row: Value(md.number(factor * row.get(name, UNKNOWN), digits))


def percent(name: str, low: str = "", high: str = "", digits: int = 2) -> Format:
    """A fraction in percent points, with its interval from two other columns."""
    return lambda row: Value(md.percent(row.get(name), digits), md.interval(row.get(low), row.get(high), digits))


def mad(row: Row) -> Value:
    """The MAD over seeds with its interval, marked if it is not above the noise floor."""
    return dataclasses.replace(percent("mad", "mad_low", "mad_high")(row), mark=NOISE if within_noise(row) else "")


def within_noise(row: Row) -> bool:
    """Whether the lower end of the MAD's interval is known and not above the noise floor."""
    return bool(row.get("mad_low", UNKNOWN) <= row.get("noise_floor", UNKNOWN))


def difference(name: str) -> Format:
    """A difference of fractions to the baseline in percent points, with its sign."""
    return lambda row: NOTHING if is_baseline(row) else Value(md.signed(row.get(name)))


def ratio(name: str, low: str = "", high: str = "") -> Format:
    """A ratio to the baseline with its interval; infinite if only the baseline has no spread."""

    def shown(row: Row) -> Value:
        if is_baseline(row):
            return NOTHING
        value = row.get(name, UNKNOWN)
        interval = md.interval(row.get(low), row.get(high), shown=md.number)
        return Value("∞" if value == math.inf else md.number(value), interval)

    return shown


def p_value(name: str, spread: bool = False) -> Format:
    """A p-value against the baseline; `spread` marks it if either technique has too few scores."""

    def shown(row: Row) -> Value:
        if is_baseline(row):
            return NOTHING
        text = md.p_value(row.get(name))
        scarce = spread and text != md.DASH and min(row["converged"], row["against_converged"]) < LEAST
        return Value(text, mark=FEW if scarce else "")

    return shown


def seeds(row: Row) -> Value:
    """The number of judged runs, of attempted ones if these differ, marked if too few converged."""
    judged, attempted = int(row["judged"]), int(row["attempted"])
    text = str(judged) if judged == attempted else f"{judged} of {attempted}"
    return Value(text, mark=FEW if few(row) else "", kind="runs")


def failures(row: Row) -> Value:
    """Failed of judged runs, with Wilson's interval of the rate in percent."""
    if not row["judged"]:
        return NOTHING
    order = f"{row['failed'] / row['judged']:.3g}" if row["failed"] else ""
    interval = md.interval(row["failure_low"], row["failure_high"], 1)
    return Value(f"{row['failed']}/{row['judged']}", interval, order=order)


def mad_over_tasks(row: Row) -> Value:
    """The MAD over tasks, marked if another technique covers more tasks."""
    return Value(md.percent(row["mad_over_tasks"]), mark=UNEQUAL if row["tasks"] < row["most_tasks"] else "")


def verdict(row: Row) -> Value:
    """The verdict in words, or the number of seeds if these are too few and failures did not decide."""
    if row["attempted"] == row["unsupported"]:
        return Value("declines", kind=_kind(row))
    if is_baseline(row):
        text = "baseline"
    elif not row["against"]:
        text = "not compared"
    else:
        text = "undecided" if row["verdict"] in ("", Stability.UNDERPOWERED) else str(row["verdict"])
    if few(row) and text in ("undecided", "baseline", "not compared"):
        lead = "baseline, " if text == "baseline" else ""
        return Value(f"{lead}{count(int(row['converged']), 'seed')}: too few to rank", kind=_kind(row))
    shift = {Location.BETTER: ", scores higher", Location.WORSE: ", scores lower"}.get(row["verdict_location"], "")
    return Value(text + shift, kind=_kind(row))


def few(row: Row) -> bool:
    """Whether too few runs converged for a claim about spread, in a cell with attempted runs that were not declined."""
    return bool(row["converged"] < LEAST and row["attempted"] > row["unsupported"])


def rankable(row: Row) -> bool:
    """Whether a cell has enough converged runs to be ranked, or a verdict."""
    return bool(row["verdict"] in DECIDED or (not few(row) and row["converged"] > 0))


def is_baseline(row: Row) -> bool:
    """Whether a cell is the baseline of its task and setting."""
    return bool(row["against"]) and row["label"] == row["against"]


def _kind(row: Row) -> str:
    """CSS class of the verdict, for the filter and the colour."""
    if row["verdict"] in DECIDED:
        return f"v {str(row['verdict']).split()[0]}"
    return "v baseline" if is_baseline(row) else "v few" if few(row) else "v undecided"
