"""Rows of the page's tables: each value as the text to read and the number to sort by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench_lib.report import formatting as md
from bench_lib.report.html.evidence import Row, few
from bench_lib.report.prose import anchor, count, ratio
from bench_lib.stats.verdict import Location, Stability

DECIDED = (Stability.MORE, Stability.LESS, Stability.EQUIVALENT)


@dataclass(frozen=True)
class Value:
    """What stands in a table's cell: `fine` is the interval, in smaller type.

    `order` is the number to sort by where the text does not begin with it.
    """

    text: str
    order: str = ""
    fine: str = ""


@dataclass(frozen=True)
class CellRow:
    """A cell as a row: its names, its values in the order of the table's columns, and its number among the cells."""

    number: int
    task: str
    model: str
    profile: str
    label: str
    link: str
    family: str
    ranked: bool
    verdict: str
    kind: str
    seeds: Value
    failed: Value
    mad: Value
    worst: Value
    mean: Value
    difference: Value
    ratio: Value
    time: Value
    memory: Value


def cell_row(row: Row, number: int, family: str) -> CellRow:
    """A cell with its contrast and verdict as a row; `number` is its place among the cells."""
    return CellRow(
        number=number,
        task=str(row["task"]),
        model=str(row["model"]),
        profile=str(row["profile"]),
        label=str(row["label"]),
        link=anchor("technique", str(row["technique"])),
        family=family,
        ranked=_ranked(row),
        verdict=_verdict(row),
        kind=_kind(row),
        seeds=_seeds(row),
        failed=_failed(row),
        mad=_percent(row["mad"], row["mad_low"], row["mad_high"]),
        worst=_percent(row["minimum"]),
        mean=_percent(row["mean"], row["mean_low"], row["mean_high"]),
        difference=Value(md.signed(row["mean_difference"])),
        ratio=_ratio(row),
        time=Value(md.number(row["cost_ratio"])),
        memory=Value(md.number(row["peak_memory_mib"], 0)),
    )


@dataclass(frozen=True)
class OverRow:
    """A technique over the tasks of a group."""

    technique: str
    link: str
    family: str
    tasks: int
    more: int
    less: int
    undecided: int
    failure_rate: float
    average_rank: float
    failed: Value
    mad: Value
    rank: Value
    time: Value


def over_row(row: Row, rank: float, cells: Sequence[Row], family: str) -> OverRow:
    """A technique with its average rank (nan where there is none) and its cells in the group."""
    name = str(row["technique"])
    known = [float(cell["cost_ratio"]) for cell in cells if math.isfinite(cell["cost_ratio"])]
    time = math.exp(sum(map(math.log, known)) / len(known)) if known and min(known) > 0 else math.nan
    verdicts = [str(cell["verdict"]) for cell in cells]
    compared = [cell for cell in cells if cell["against"] and cell["label"] != cell["against"]]
    more, less, same = (verdicts.count(kind) for kind in ("more stable", "less stable", "equivalent"))
    return OverRow(
        technique=name,
        link=anchor("technique", name),
        family=family,
        tasks=int(row["tasks"]),
        more=more,
        less=less,
        undecided=len(compared) - more - less - same,
        failure_rate=float(row["failure_rate"]),
        average_rank=rank,
        failed=Value(md.percent(row["failure_rate"], 1)),
        mad=_percent(row["mad_over_tasks"]),
        rank=Value(md.number(rank, 1)),
        time=Value(md.number(time)),
    )


def _ranked(row: Row) -> bool:
    """Whether there are runs enough, or failures have decided."""
    return bool(row["verdict"] in DECIDED or (not few(row) and row["converged"] > 0))


def _verdict(row: Row) -> str:
    """In words; too few seeds say so in place of any ranking, but a verdict that failures decided stands."""
    if row["attempted"] == row["unsupported"]:
        return "declines"
    if row["label"] == row["against"]:
        text = "baseline"
    elif not row["against"]:
        text = "not compared"
    else:
        text = {"underpowered": "undecided", "": "undecided"}.get(row["verdict"], str(row["verdict"]))
    if few(row) and text in ("undecided", "baseline", "not compared"):
        lead = "baseline, " if text == "baseline" else ""
        return f"{lead}{count(int(row['converged']), 'seed')}: too few to rank"
    shift = {Location.BETTER: ", scores higher", Location.WORSE: ", scores lower"}.get(row["verdict_location"], "")
    return text + shift


def _kind(row: Row) -> str:
    """One word for the filter and the colour."""
    if row["verdict"] in DECIDED:
        return str(row["verdict"]).split()[0]
    return "baseline" if row["label"] == row["against"] and row["against"] else "few" if few(row) else "undecided"


def _seeds(row: Row) -> Value:
    judged, attempted = int(row["judged"]), int(row["attempted"])
    return Value(str(judged) if judged == attempted else f"{judged} of {attempted}")


def _failed(row: Row) -> Value:
    if not row["judged"]:
        return Value(md.DASH)
    fine = md.interval(row["failure_low"], row["failure_high"], 0)
    return Value(f"{row['failed']}/{row['judged']}", f"{row['failure_rate']:.3g}" if row["failed"] else "", fine)


def _ratio(row: Row) -> Value:
    if row["label"] == row["against"] or few(row):
        return Value(md.DASH)
    text, _, fine = ratio(row["mad_ratio"], row["mad_ratio_low"], row["mad_ratio_high"]).partition(" ")
    return Value(text, fine=fine)


def _percent(value: Any, low: float = math.nan, high: float = math.nan) -> Value:
    return Value(md.percent(value), fine=md.interval(low, high))
