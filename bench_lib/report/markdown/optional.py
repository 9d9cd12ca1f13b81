"""The optional sections as Markdown."""

from __future__ import annotations

from bench_lib.report import formatting as md
from bench_lib.report.analysis.table_sections import TableSection, TextTable


def heading(title: str) -> str:
    """The line with the title of a section."""
    return f"## {title}"


def section(one: TableSection) -> str:
    """A section with its tables."""
    parts = [f"{md.escape(table.title)}\n\n{_table(table)}" for table in one.tables]
    return "\n".join([f"{heading(one.title)}\n\n{one.text}\n", *parts])


def _table(table: TextTable) -> str:
    # Headings are escaped too: models and metrics are among them.
    head, *rows = ([md.escape(text) for text in row] for row in (table.head, *table.rows))
    return md.table(head, rows)
