"""News of four topics: a headline, a first sentence, and older news of another topic that is marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench_lib.tasks.sources.synthetic import names
from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, read_lists

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HEADED, WITH_OLDER = 0.4, 0.75
"""The shares of texts with a headline, and with older news."""
_TABLES = read_lists("news")
_BACKGROUNDS: Sequence[str] = _TABLES["shared"]["backgrounds"]
_TOPICS: Sequence[dict[str, Any]] = [table for name, table in _TABLES.items() if name != "shared"]


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
    slots = _slots(topic, draw, unseen)
    text = draw.pick(_TOPICS[topic]["leads"]).format_map(slots)
    if draw.chance(HEADED):
        text = f"{draw.pick(_TOPICS[topic]['heads']).format_map(slots)}. {text}"
    if draw.chance(WITH_OLDER):
        lead = draw.pick(_TOPICS[other]["leads"]).format_map(_slots(other, draw, unseen))
        older = draw.pick(allowed(_BACKGROUNDS, unseen)).format(text=lead)
        text = " ".join(draw.some([text, older], 2))
    return Article(text, topic)


def _slots(topic: int, draw: Draw, unseen: bool) -> dict[str, str]:
    return {
        "p": names.stem(draw, unseen),
        "a": draw.pick(allowed(_TOPICS[topic]["subjects"], unseen)),
        "d": draw.pick(DAYS),
        "n": str(2 + draw.below(30)),
    }
