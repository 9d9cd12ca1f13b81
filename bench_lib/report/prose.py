"""Prose of the report: anchors, inline markup, lists of names, and counts with their nouns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from bench_lib.report import formatting as md

LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
SAFE = "+:=,._-()"
"""Characters that an anchor contains unquoted."""

_PARTS = re.compile(r"`([^`]*)`|\*\*([^*]+)\*\*|\*(\w[^*]*)\*|\b(arXiv|doi):([^\s;,]*\w)")


def anchor(kind: str, name: str) -> str:
    """The anchor of a view of the page, such as `technique=llrd+reinit`; special characters of the name are quoted."""
    return f"{kind}={quote(name, safe=SAFE)}"


def linked(text: str) -> Markup:
    """One line of text with markup for code, emphasis and citations; everything else is escaped."""
    line, end, parts = md.plain(text), 0, []
    for found in _PARTS.finditer(line):
        parts += [Markup.escape(line[end : found.start()]), _markup(found)]
        end = found.end()
    return Markup("").join([*parts, Markup.escape(line[end:])])


def _markup(found: re.Match[str]) -> Markup:
    code, strong, stressed, where, name = found.groups()
    if code is not None:
        return Markup("<code>{}</code>").format(code)
    if strong is not None:
        return Markup("<strong>{}</strong>").format(strong)
    if stressed is not None:
        return Markup("<em>{}</em>").format(stressed)
    return Markup('<a href="{}">{}</a>').format(LINKS[where] + quote(name, safe="/."), found.group())


def name_list(names: Sequence[str], limit: int = 4, width: int | None = None, last: str = " and ") -> str:
    """Up to `limit` names as a list in a sentence, then the number of the others.

    Names are cut at `width` characters; `last` separates the last name where all are listed.
    """
    shown = [name if width is None else md.shorten(name, width) for name in names[:limit]]
    if len(names) > limit:
        return f"{', '.join(shown)} and {len(names) - limit} more"
    return f"{', '.join(shown[:-1])}{last}{shown[-1]}" if len(shown) > 1 else "".join(shown)


def count(number: int, noun: str) -> str:
    """A number with its noun, such as `1 seed` and `3 seeds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
