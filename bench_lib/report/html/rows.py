"""Rows of the page's tables: the names of a cell, and its values by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis.evidence import Conclusion, conclusions
from bench_lib.report.column import View
from bench_lib.report.prose import anchor
from bench_lib.report.values import Row, Value, is_baseline, rankable

ON_PAGE = (View.PAGE, View.TASK, View.TECHNIQUE, View.EFFICIENCY)


@dataclass(frozen=True)
class CellRow:
    """A cell as a row: its names, its number among the cells, and its values by the names of the columns."""

    number: int
    task: str
    model: str
    profile: str
    label: str
    link: str
    family: str
    rankable: bool
    values: Mapping[str, Value]


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
        rankable=rankable(row),
        values={column.name: column.format(row) for view in ON_PAGE for column in columns.shown_in(view)},
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
    compared = [conclusions(cell) for cell in cells if cell["against"] and not is_baseline(cell)]
    counted = {kind: sum(kind in said for said in compared) for kind in Conclusion}
    return OverRow(
        technique=name,
        link=anchor("technique", name),
        family=family,
        tasks=int(row["tasks"]),
        more=counted[Conclusion.STEADIER],
        less=counted[Conclusion.LESS_STEADY],
        undecided=counted[Conclusion.OPEN],
        failure_rate=float(row["failure_rate"]),
        average_rank=rank,
        failed=Value(md.percent(row["failure_rate"], 1)),
        mad=Value(md.percent(row["mad_over_tasks"])),
        rank=Value(md.number(rank, 1)),
        time=Value(md.number(time)),
    )
