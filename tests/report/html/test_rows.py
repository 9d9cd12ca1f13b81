"""Rows name a cell and hold its values by column."""

from __future__ import annotations

from typing import Any

from bench_lib.report import columns
from bench_lib.report.html.rows import ON_PAGE, cell_row, over_row

Cell = Any


def test_a_row_has_a_value_for_each_column_of_the_page(cell: Cell) -> None:
    row = cell_row(cell(), 7, "regularisation")
    assert (row.number, row.link, row.rankable) == (7, "technique=mixout", True)
    assert set(row.values) == {column.name for view in ON_PAGE for column in columns.shown_in(view)}
    assert row.values["mad"].text == "0.50"


def test_a_technique_over_tasks_counts_its_verdicts(cell: Cell) -> None:
    cells = [
        cell(verdict="more stable", cost_ratio=1.0),
        cell(cost_ratio=4.0),
        cell(verdict="equivalent", cost_ratio=2.0),
    ]
    row = over_row({"technique": "mixout", "tasks": 3, "failure_rate": 0.05, "mad_over_tasks": 0.1}, 2.5, cells, "f")
    assert (row.more, row.less, row.undecided, row.tasks) == (1, 0, 1, 3)
    assert (row.failed.text, row.rank.text, row.time.text, row.mad.text) == ("5.0", "2.5", "2.00", "10.00")
