"""Formatting: escaped text, numbers, intervals, Markdown tables, and CSV cells."""

from __future__ import annotations

import functools
import html
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

DASH = "\u2013"
"""An en dash, for undefined values."""

_SPECIAL = re.compile(r"([\\`*\[\]|~$])|(?<!\w)_|_(?!\w)")


def plain(text: object) -> str:
    """One line of NFC text: whitespace and invisible characters become single spaces.

    Invisible are control characters, direction marks, and surrogates.
    """
    return _plain(str(text))


@functools.lru_cache(maxsize=2**14)
def _plain(line: str) -> str:
    """Kept, since the tables of a report say the same names over and over."""
    if not line.isascii():
        line = unicodedata.normalize("NFC", line)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    return " ".join(line.split())


def escape(text: object) -> str:
    """Text escaped for Markdown, including table cells."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(0), html.escape(plain(text), quote=False))


def shorten(text: object, width: int = 160) -> str:
    """The text as one line, cut at the width."""
    line = plain(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def number(value: float | None, digits: int = 2) -> str:
    """A number with `digits` decimals; a dash for missing and non-finite values."""
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
    """A p-value to three decimals, or `<0.001`."""
    return "<0.001" if value is not None and value < 0.001 else number(value, 3)


def rate(value: float | None, digits: int = 1) -> str:
    """A fraction in percent with the sign, at most `digits` decimals and no trailing zeros, such as `2.5 %`."""
    return DASH if value is None or not math.isfinite(value) else f"{round(100 * value, digits) + 0.0:g} %"


def interval(
    low: float | None, high: float | None, digits: int = 2, shown: Callable[[float | None, int], str] = percent
) -> str:
    """An interval in brackets, of fractions in percent points unless `shown` is `number`; empty if undefined."""
    ends = (shown(low, digits), shown(high, digits))
    return "" if DASH in ends else f"[{ends[0]}, {ends[1]}]"


def estimate(value: float, low: float, high: float) -> str:
    """A number with its interval, if known."""
    return f"{number(value)} {interval(low, high, shown=number)}".rstrip()


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
    """A Markdown table of escaped cells; the first `text_columns` are left-aligned, the others right-aligned."""
    rule = [":--" if i < text_columns else "--:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


def csv_text(value: object) -> object:
    """Text that spreadsheets do not interpret as a formula; other values unchanged."""
    if isinstance(value, str):
        line = plain(value)
        return "'" + line if line.startswith(("=", "+", "-", "@")) else line
    return value
