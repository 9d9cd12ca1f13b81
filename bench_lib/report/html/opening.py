"""The opening of the page: the answer, what is decided, refuted and open, and how far a plan is."""

from __future__ import annotations

from typing import Any

from bench_lib.report.analysis.opening import openings, progress, waiting
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TextTable
from bench_lib.report.html.methods import Table
from bench_lib.report.prose import count


def context(summary: Summary) -> dict[str, Any]:
    """What the template of the opening reads; its tables say whether they are folded, since a figure shows the same."""
    found = []
    for one in openings(summary):
        tables = [(_table(table), table is one.decided) for table in (one.decided, one.refuted, one.open) if table.rows]
        found.append((one, tables))
    return {"openings": found, **_plan(summary)}


def _plan(summary: Summary) -> dict[str, Any]:
    """The table of a plan's parts, how much is done in a few words, and the sentence on what waits."""
    table = progress(summary)
    if table is None or summary.plan is None:
        return {"plan": None}
    whole = summary.plan.whole
    done = f"{whole.done:,} of {count(whole.runs, 'run')} done"
    return {"plan": _table(table), "plan_done": done, "plan_waits": waiting(summary.plan)}


def _table(one: TextTable) -> Table:
    return Table(one.title, one.head, one.rows)
