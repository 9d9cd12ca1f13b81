"""Rows name a cell and hold its values by column."""

from __future__ import annotations

from typing import Any

from bench_lib.report import columns
from bench_lib.report.html.rows import ON_PAGE, cell_row, measures_over_tasks, over_row

Cell = Any


def test_a_row_has_a_value_for_each_column_of_the_page(cell: Cell) -> None:
    row = cell_row(cell(), 7, "regularisation")
    assert (row.number, row.link, row.rankable) == (7, "technique=mixout", True)
    assert set(row.values) == {column.name for column in columns.COLUMNS if column.shown_in & set(ON_PAGE)}
    assert row.values["mad"].text == "0.50"


def test_a_technique_over_tasks_counts_its_verdicts(cell: Cell) -> None:
    cells = [
        cell(verdict="more stable", cost_ratio=1.0),
        cell(cost_ratio=4.0),
        cell(verdict="equivalent", cost_ratio=2.0),
    ]
    over = {"technique": "mixout", "tasks": 3, "most_tasks": 4, "failure_rate": 0.05, "mad_over_tasks": 0.1}
    row = over_row(measures_over_tasks(over, 2.5, cells), "f")
    assert (row.technique, row.link, row.family) == ("mixout", "technique=mixout", "f")
    shown = {"tasks": "3", "more": "1", "less": "0", "undecided": "1", "failed_mean": "5.0"}
    shown |= {"rank": "2.5", "mad_over_tasks": "10.00‡", "time": "2.00"}
    assert {name: str(value) for name, value in row.values.items()} == shown
