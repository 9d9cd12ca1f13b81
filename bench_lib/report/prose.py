"""Text for people: names as links, `code` and sources marked up, and numbers put into words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from bench_lib.report import formatting as md

LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
SAFE = "+:=,._-()"
"""Signs that stand in an address as they are."""

_PARTS = re.compile(r"`([^`]*)`|\*\*([^*]+)\*\*|\*(\w[^*]*)\*|\b(arXiv|doi):([^\s;,]*\w)")


def anchor(kind: str, name: str) -> str:
    """The address of a view within the page, such as `technique=llrd+reinit`; a name's own letters never end it."""
    return f"{kind}={quote(name, safe=SAFE)}"


def linked(text: str) -> Markup:
    """One line of text in which only code, stress and sources are marked up."""
    line, done, parts = md.plain(text), 0, []
    for found in _PARTS.finditer(line):
        parts += [Markup.escape(line[done : found.start()]), _marked(found)]
        done = found.end()
    return Markup("").join([*parts, Markup.escape(line[done:])])


def _marked(found: re.Match[str]) -> Markup:
    code, strong, stressed, where, name = found.groups()
    if code is not None:
        return Markup("<code>{}</code>").format(code)
    if strong is not None:
        return Markup("<strong>{}</strong>").format(strong)
    if stressed is not None:
        return Markup("<em>{}</em>").format(stressed)
    return Markup('<a href="{}">{}</a>').format(LINKS[where] + quote(name, safe="/."), found.group())


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names as a list in a sentence, those beyond the most as a number."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def count(number: int, noun: str) -> str:
    """A number with its noun, such as `1 seed` and `3 seeds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ratio(value: float, low: float, high: float) -> str:
    """A ratio with its interval where that is known."""
    ends = (md.number(low), md.number(high))
    return md.number(value) + ("" if md.DASH in ends else f" [{ends[0]}, {ends[1]}]")
