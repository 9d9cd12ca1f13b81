"""How the command line lays out what it says: aligned columns and hanging lines for people, JSON for machines."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench_lib.report import formatting as md
from bench_lib.report.formatting import plain
from bench_lib.report.glossary import FEW

if TYPE_CHECKING:
    from bench_lib.report.column import Column

WIDTH = 100
"""Characters that a line is kept to where its words allow it."""

TYPED = str.maketrans({md.DASH: "-", "\u221e": "inf", "\u0394": "diff.", FEW: ""})
"""Signs of the report that a terminal may lack, with what stands for them."""

GAP = "  "
TIED = "\u00a0"
"""A space at which no line is broken."""


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> list[str]:
    """Lines of a table of visible text: the first `text_columns` stand left, the others right."""
    whole = [[typed(cell) for cell in row] for row in (head, *rows)]
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


def legend(columns: Sequence[Column]) -> str:
    """What columns of the leaderboard mean, a sentence each."""
    return "\n".join(hanging(f"{typed(one.title)}:", typed(_sentence(one.meaning)), 4) for one in columns)


def interval(value: float, low: float, high: float) -> str:
    """A number with the ends of its interval, if they are known."""
    ends = (md.number(low), md.number(high))
    return md.number(value) + ("" if md.DASH in ends else f" [{ends[0]}, {ends[1]}]")


def typed(text: str) -> str:
    """Visible text without signs that a terminal may lack."""
    return plain(text).translate(TYPED)


def _sentence(text: str) -> str:
    """The first sentence, which ends before a capital letter."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", text, maxsplit=1)[0]


def _cells(row: Sequence[str], widths: Sequence[int], text_columns: int) -> list[str]:
    sized = enumerate(zip(row, widths, strict=True))
    return [cell.ljust(width) if place < text_columns else cell.rjust(width) for place, (cell, width) in sized]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
