"""How answers are laid out: aligned columns and hanging lines for people, JSON for machines."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from bench_lib.report.formatting import plain

WIDTH = 100
"""Characters that a line is kept to where its words allow it."""

DASH = "-"
"""Stands for what is not known."""

GAP = "  "
TIED = "\u00a0"
"""A space at which no line is broken."""


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> list[str]:
    """Lines of a table of visible text: the first `text_columns` stand left, the others right."""
    whole = [[plain(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in whole) for place in range(len(head))]
    return [GAP.join(_cells(row, widths, text_columns)).rstrip() for row in whole]


def hanging(lead: str, text: str, indent: int) -> str:
    """The visible text behind its lead, broken at the width and indented where it goes on."""
    lead = " " * (len(lead) - len(lead.lstrip())) + plain(lead)
    first = lead.ljust(indent) if len(lead) < indent else f"{lead} "
    whole = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    # No line begins with a percent sign.
    return whole.fill(plain(text).replace(" %", f"{TIED}%")).replace(TIED, " ")


def machine(value: object) -> str:
    """JSON with sorted keys, in which NaN is null and infinities are text."""
    return json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False)


def number(value: float, digits: int = 2) -> str:
    """A number with so many decimals, or a dash."""
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float, digits: int = 1) -> str:
    """A fraction in percent points, without the sign, or a dash."""
    return number(100 * value, digits)


def signed(value: float) -> str:
    """A difference of fractions in percent points with its sign, or a dash."""
    return DASH if math.isnan(value) else f"{100 * value:+.1f}"


def interval(value: float, low: float, high: float) -> str:
    """A number with the ends of its interval, if they are known."""
    return number(value) + ("" if math.isnan(low) or math.isnan(high) else f" [{low:.2f}, {high:.2f}]")


def times(value: float) -> str:
    """A multiple, or a dash."""
    return DASH if math.isnan(value) else f"{value:.2f}x"


def failures(failed: int, judged: int, low: float, high: float) -> str:
    """Failed runs of those judged, with the rate's interval in percent points."""
    return f"{failed}/{judged} [{percent(low, 0)}, {percent(high, 0)}]" if judged else DASH


def _cells(row: Sequence[str], widths: Sequence[int], text_columns: int) -> list[str]:
    sized = enumerate(zip(row, widths, strict=True))
    return [cell.ljust(width) if place < text_columns else cell.rjust(width) for place, (cell, width) in sized]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
