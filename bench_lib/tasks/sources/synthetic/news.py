"""News of four topics: a headline, a first sentence, and a second one that may mention what another topic is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench_lib.tasks.sources.synthetic import names
from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, read_lists

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TABLES = read_lists("news")
_TAILS: Sequence[str] = _TABLES["shared"]["tails"]
_TOPICS: Sequence[dict[str, Any]] = [table for name, table in _TABLES.items() if name != "shared"]
HEADLESS = 0.3
"""The share of news without a headline, whose topic is told by the first sentence."""


@dataclass(frozen=True)
class Article:
    """A text with the index of its topic."""

    text: str
    topic: int

    @property
    def key(self) -> str:
        return self.text

    @property
    def units(self) -> int:
        return 1

    def corrupt(self, unit: int, draw: Draw) -> Article:
        return replace(self, topic=draw.pick([topic for topic in range(len(_TOPICS)) if topic != self.topic]))

    def row(self) -> Row:
        return {"text": self.text, "label": self.topic}


def article(draw: Draw, unseen: bool) -> Article:
    """A piece of news, in the columns of AG News."""
    topic, other = draw.some(range(len(_TOPICS)), 2)
    own = _TOPICS[topic]
    slots = {
        "p": names.stem(draw, unseen),
        "a": draw.pick(allowed(own["subjects"], unseen)),
        "q": draw.pick(allowed(_TOPICS[other]["subjects"], unseen)),
        "d": draw.pick(DAYS),
        "n": str(2 + draw.below(30)),
    }
    parts = [draw.pick(own["leads"]), draw.pick(_TAILS)]
    if not draw.chance(HEADLESS):
        parts.insert(0, draw.pick(own["heads"]) + ".")
    return Article(" ".join(part.format_map(slots) for part in parts), topic)
