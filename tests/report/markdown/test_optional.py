"""The sections that only some stores have, as Markdown."""

from __future__ import annotations

from bench_lib.report.analysis.table_sections import TableSection, TextTable
from bench_lib.report.markdown.optional import heading, section


def test_a_section_has_its_title_text_and_escaped_tables() -> None:
    tables = [TextTable("a|b", ("technique", "mean"), [["x<y", "1.00"]]), TextTable("c", ("x|y",), [])]
    lines = section(TableSection("further", "Further", "What it shows.", tables)).splitlines()
    assert lines[:3] == [heading("Further"), "", "What it shows."]
    assert "a\\|b" in lines
    assert "| x&lt;y | 1.00 |" in lines
    assert lines[-2] == "| x\\|y |"
