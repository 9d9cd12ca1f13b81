"""What stands in a cell of a table: how columns of the leaderboard read, in every place that shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench_lib.report import formatting as md
from bench_lib.report.glossary import FEW, LEAST
from bench_lib.report.prose import count
from bench_lib.stats.verdict import Location, Stability

Row = Mapping[str, Any]
"""A cell with its contrast and verdict, by column."""

DECIDED = (Stability.MORE, Stability.LESS, Stability.EQUIVALENT)
UNKNOWN = math.nan


@dataclass(frozen=True)
class Value:
    """A value as it is read: its text, a mark behind it, and its interval at 95 %.

    `order` is the number to sort by where the text does not begin with it; `kind` is what the page makes of it:
    `runs` opens the runs of the cell, others are classes of the style sheet.
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
    """A column of texts as it is."""
    return lambda row: Value(md.plain(row.get(name) or "") or md.DASH)


def number(name: str, digits: int = 2, factor: float = 1) -> Format:
    """A number with so many decimals, times a factor."""
    return lambda row: Value(md.number(factor * row.get(name, UNKNOWN), digits))


def percent(name: str, low: str = "", high: str = "", digits: int = 2) -> Format:
    """A fraction in percent points, with the interval that two other columns hold."""
    return lambda row: Value(
        md.percent(row.get(name), digits), md.interval(row.get(low), row.get(high), digits) if low else ""
    )


def difference(name: str) -> Format:
    """A difference of fractions to the baseline in percent points, with its sign."""
    return lambda row: NOTHING if is_baseline(row) else Value(md.signed(row.get(name)))


def ratio(name: str, low: str = "", high: str = "") -> Format:
    """A ratio to the baseline, with its interval; infinite where only the baseline has no spread."""

    def shown(row: Row) -> Value:
        if is_baseline(row):
            return NOTHING
        value = row.get(name, UNKNOWN)
        ends = [md.number(row.get(end)) for end in (low, high) if end]
        interval = f"[{', '.join(ends)}]" if ends and md.DASH not in ends else ""
        return Value("∞" if value == math.inf else md.number(value), interval)

    return shown


def p_value(name: str, spread: bool = False) -> Format:
    """A p-value against the baseline; one of spread is marked where either technique has too few scores."""

    def shown(row: Row) -> Value:
        if is_baseline(row):
            return NOTHING
        told = md.p_value(row.get(name))
        scarce = spread and told != md.DASH and min(row["converged"], row["against_converged"]) < LEAST
        return Value(told, mark=FEW if scarce else "")

    return shown


def seeds(row: Row) -> Value:
    """Judged runs, of those attempted where some were not judged, marked where too few converged."""
    judged, attempted = int(row["judged"]), int(row["attempted"])
    told = str(judged) if judged == attempted else f"{judged} of {attempted}"
    return Value(told, mark=FEW if few(row) else "", kind="runs")


def failures(row: Row) -> Value:
    """Failed runs of those judged, with Wilson's interval of the rate in percent."""
    if not row["judged"]:
        return NOTHING
    order = f"{row['failed'] / row['judged']:.3g}" if row["failed"] else ""
    interval = md.interval(row["failure_low"], row["failure_high"], 1)
    return Value(f"{row['failed']}/{row['judged']}", interval, order=order)


def verdict(row: Row) -> Value:
    """The verdict in words; too few seeds say so in its place, but one that failures decided stands."""
    if row["attempted"] == row["unsupported"]:
        return Value("declines", kind=_kind(row))
    if is_baseline(row):
        told = "baseline"
    elif not row["against"]:
        told = "not compared"
    else:
        told = "undecided" if row["verdict"] in ("", Stability.UNDERPOWERED) else str(row["verdict"])
    if few(row) and told in ("undecided", "baseline", "not compared"):
        lead = "baseline, " if told == "baseline" else ""
        return Value(f"{lead}{count(int(row['converged']), 'seed')}: too few to rank", kind=_kind(row))
    shift = {Location.BETTER: ", scores higher", Location.WORSE: ", scores lower"}.get(row["verdict_location"], "")
    return Value(told + shift, kind=_kind(row))


def few(row: Row) -> bool:
    """Whether too few runs converged to decide anything about spread, in a cell that was not declined whole."""
    return bool(row["converged"] < LEAST and row["attempted"] > row["unsupported"])


def rankable(row: Row) -> bool:
    """Whether a cell has runs enough to be ranked, or failures have decided."""
    return bool(row["verdict"] in DECIDED or (not few(row) and row["converged"] > 0))


def is_baseline(row: Row) -> bool:
    """Whether a cell is the one that the others of its task and setting are compared with."""
    return bool(row["against"]) and row["label"] == row["against"]


def _kind(row: Row) -> str:
    """The verdict in one word, for the filter and the colour."""
    if row["verdict"] in DECIDED:
        return f"v {str(row['verdict']).split()[0]}"
    return "v baseline" if is_baseline(row) else "v few" if few(row) else "v undecided"
