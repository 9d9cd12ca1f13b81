"""Sections of text tables that a report has only where its store holds such runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """A table: its title, column headings and rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class TableSection:
    """A section: its anchor on the page, its title, what the tables show, and the tables."""

    anchor: str
    title: str
    text: str
    tables: Sequence[TextTable]
