"""The sections that a report has only where its store holds such runs, in their order."""

from __future__ import annotations

from bench_lib.report.analysis.across_models import models_section
from bench_lib.report.analysis.further_tables import forgetting_section, further_section
from bench_lib.report.analysis.other_metric_tables import other_metrics_section
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TableSection

SECTIONS = (models_section, other_metrics_section, further_section, forgetting_section)


def optional_sections(summary: Summary) -> list[TableSection]:
    """The sections that have tables."""
    return [section for section in (make(summary) for make in SECTIONS) if section.tables]
