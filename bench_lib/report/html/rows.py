"""Rows of the page's tables: names and values by column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.report import columns
from bench_lib.report.analysis.evidence import Conclusion, conclusions
from bench_lib.report.column import View
from bench_lib.report.prose import anchor
from bench_lib.report.values import Row, Value, is_baseline, rankable

ON_PAGE = (View.PAGE, View.TASK, View.TECHNIQUE, View.EFFICIENCY)

COUNTED = (Conclusion.STEADIER, Conclusion.LESS_STEADY, Conclusion.OPEN)


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
        values={column.name: column.format(row) for column in columns.COLUMNS if column.shown_in & set(ON_PAGE)},
    )


@dataclass(frozen=True)
class OverRow:
    """A technique over the tasks of a group, with its values by the names of `columns.OVER_TASKS`."""

    technique: str
    link: str
    family: str
    values: Mapping[str, Value]


def over_row(row: Row, family: str) -> OverRow:
    """A technique with its measures over tasks as a row."""
    name = str(row["technique"])
    return OverRow(
        name, anchor("technique", name), family, {column.name: column.format(row) for column in columns.OVER_TASKS}
    )


def measures_over_tasks(row: Row, rank: float, cells: Sequence[Row]) -> Row:
    """A row of `summary.over_tasks` with the average rank, nan for none, and measures from its cells in the group."""
    known = [float(cell["cost_ratio"]) for cell in cells if math.isfinite(cell["cost_ratio"])]
    time = math.exp(sum(map(math.log, known)) / len(known)) if known and min(known) > 0 else math.nan
    compared = [conclusions(cell) for cell in cells if cell["against"] and not is_baseline(cell)]
    counted = {
        name: sum(kind in found for found in compared)
        for name, kind in zip(("more", "less", "undecided"), COUNTED, strict=True)
    }
    return {**row, **counted, "rank": rank, "time": time}
