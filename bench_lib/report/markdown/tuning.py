"""The section on tuning as Markdown."""

from __future__ import annotations

from bench_lib.report import formatting as md
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.tuning_tables import tables
from bench_lib.report.glossary import TUNING


def section(summary: Summary) -> str:
    """The section without its figures; empty where no trial is stored."""
    parts = [
        f"{md.escape(one.title)}\n\n{md.table(one.head, [[md.escape(text) for text in row] for row in one.rows])}"
        for one in tables(summary)
    ]
    return "\n".join([f"## Tuning\n\n{TUNING}\n", *parts]) if parts else ""
