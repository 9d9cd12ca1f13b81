"""Text that stays text: escaped names, numbers as the field prints them, tables, and cells of CSV files."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

DASH = "\u2013"
"""An en dash: stands for what is not defined."""

_SPECIAL = re.compile(r"([\\`*\[\]|~$])|(?<!\w)_|_(?!\w)")


def plain(text: object) -> str:
    """One line of text in composed characters: whitespace and what cannot be seen become single spaces.

    The latter are control characters, those that turn the direction of writing, and halves of surrogate pairs.
    """
    line = str(text)
    if not line.isascii():
        line = unicodedata.normalize("NFC", line)
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())


def escape(text: object) -> str:
    """Text as Markdown shows it letter by letter, in a table's cell as well."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(0), html.escape(plain(text), quote=False))


def shorten(text: object, width: int = 160) -> str:
    """The text's one line, cut at the width."""
    line = plain(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals; what is missing or not finite is a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    # Adding 0 turns a rounded -0 into 0.
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction in percent points, without the sign."""
    return number(None if value is None else 100 * value, digits)


def signed(value: float | None) -> str:
    """A difference of fractions in percent points, with its sign."""
    text = percent(value)
    return text if text.startswith(("-", DASH)) or text == "0.00" else "+" + text


def p_value(value: float | None) -> str:
    """A p-value to three decimals; what is smaller is said to be."""
    return "<0.001" if value is not None and value < 0.001 else number(value, 3)


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval of fractions in percent points, or nothing where it is not defined."""
    ends = (percent(low, digits), percent(high, digits))
    return "" if DASH in ends else f"[{ends[0]}, {ends[1]}]"


def seeds(numbers: Iterable[int]) -> str:
    """Seeds as ranges, such as `0-4, 7`."""
    runs: list[list[int]] = []
    for seed in sorted(set(numbers)):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """A Markdown table of cells that are escaped already; the first `text_columns` stand left, the others right."""
    rule = [":--" if i < text_columns else "--:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


def csv_text(value: object) -> object:
    """Text that no spreadsheet takes for a formula; anything else as it is."""
    if isinstance(value, str):
        line = plain(value)
        return "'" + line if line.startswith(("=", "+", "-", "@")) else line
    return value
