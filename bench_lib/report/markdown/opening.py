"""The opening of the leaderboard as Markdown: the answer, what is decided, refuted and open, and a plan's progress."""

from __future__ import annotations

from collections.abc import Callable

from bench_lib.report import formatting as md
from bench_lib.report.analysis.opening import TITLE, Opening, openings, progress, waiting
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TextTable
from bench_lib.report.markdown.optional import heading


def section(summary: Summary, figure_of: Callable[[str], str]) -> str:
    """The section, with the figure of each kind of data; empty without contrasts and without a plan."""
    parts = [part for one in openings(summary) for part in _opening(one, figure_of)]
    table = progress(summary)
    parts += [_table(table), waiting(summary.plan)] if table else []
    return "\n\n".join([heading(TITLE), *filter(None, parts)]) + "\n" if parts else ""


def _opening(one: Opening, figure_of: Callable[[str], str]) -> list[str]:
    tables = [_table(table) for table in (one.decided, one.refuted, one.open) if table.rows]
    return [md.escape(" ".join(one.sentences)), figure_of(one.data).rstrip(), *tables, " ".join(one.left_out)]


def _table(table: TextTable) -> str:
    rows = [[md.escape(text) for text in row] for row in table.rows]
    return f"**{md.escape(table.title)}**\n\n{md.table(table.head, rows, text_columns=2)}".rstrip()
