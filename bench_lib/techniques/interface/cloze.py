"""Cloze questions: a text in a template beside one masked word, read from settings such as `{text} It was {mask}.`"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.core.errors import Unsupported, require
from bench_lib.tasks.formats import Example

FIELDS = ("text", "text_open", "text_lower", "pair", "pair_open", "pair_lower")
"""Fields of a template: the text or its pair, whole, without its last character, or with a lower-case start."""
PART = re.compile(r"( *\{[^{}]*\})")


@dataclass(frozen=True)
class Piece:
    """Words of a cloze question, with the space before them, or its `mask`; a `cut` piece may lose tokens to fit."""

    words: str = ""
    cut: bool = False
    mask: bool = False


def check_template(text: str, where: str) -> None:
    """Raise `BadValue` unless a template has text, one mask, and known fields only."""
    fields = [part.strip(" {}") for part in PART.findall(text)]
    plain = "".join(PART.split(text)[::2])
    known = set(fields) <= {"mask", *FIELDS} and not set("{}") & set(plain)
    sound = known and fields.count("mask") == 1 and len(fields) > 1
    names = ", ".join(f"{{{name}}}" for name in FIELDS)
    require(sound, where, text, f"words, {{mask}} once, and one or more of {names}")


def filled(template: str, example: Example) -> Sequence[Piece]:
    """The cloze question on an example; `Unsupported` where the template reads a pair and there is none."""
    return [_piece(part, example) for part in _parts(template)]


@functools.cache
def _parts(template: str) -> tuple[str, ...]:
    return tuple(filter(None, PART.split(template.strip())))


def _piece(part: str, example: Example) -> Piece:
    if "{" not in part:
        return Piece(part)
    side, _, form = part.strip(" {}").partition("_")
    if side == "mask":
        return Piece(mask=True)
    texts = dict(zip(("text", "pair"), example.inputs, strict=False))
    text = texts.get(side)
    if text is None:
        raise Unsupported("the template reads a pair of texts, and the task has one text alone")
    text = text.strip()
    if form == "open":
        text = text[:-1]
    if form == "lower":
        text = text[:1].lower() + text[1:]
    space = " " if part.startswith(" ") else ""
    return Piece(space + text, cut=True)
