"""The opening of the page: the answer, what is decided, refuted and open, and how far a plan is."""

from __future__ import annotations

from typing import Any

from bench_lib.report.analysis.opening import openings, progress, waiting
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TextTable
from bench_lib.report.html.methods import Table


def context(summary: Summary) -> dict[str, Any]:
    """What the template of the opening reads; its tables say whether they are folded, since a figure shows the same."""
    found = []
    for one in openings(summary):
        tables = [(_table(table), table is one.decided) for table in (one.decided, one.refuted, one.open) if table.rows]
        found.append((one, tables))
    table = progress(summary)
    return {"openings": found, "plan": _table(table) if table else None, "plan_waits": waiting(summary.plan)}


def _table(one: TextTable) -> Table:
    return Table(one.title, one.head, one.rows)
