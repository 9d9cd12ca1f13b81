"""Comments that express one emotion, two, or none; what others are quoted with is not the writer's own.

Of the emotions of GoEmotions there are seven, and `neutral`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, listed, read_lists

_TABLES = read_lists("emotions")
_PHRASES: dict[str, Sequence[str]] = _TABLES["phrases"]
_WORDS = listed(_TABLES["words"])
EMOTIONS = tuple(_PHRASES)
INDICES = {"anger": 2, "disgust": 11, "fear": 14, "joy": 17, "love": 18, "sadness": 25, "surprise": 26, "neutral": 27}
"""The place of each label in the order of the hub."""
NEUTRAL, TWO, QUOTED = 0.2, 0.3, 0.5
"""The shares of comments without an emotion, with two among the others, and with a quotation."""


@dataclass(frozen=True)
class Comment:
    """A text with different labels; those in `right` are the ones that it began with."""

    text: str
    labels: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.text

    @property
    def units(self) -> int:
        return len(self.labels)

    def corrupt(self, unit: int, draw: Draw) -> Comment:
        """With a wrong label in place of that one."""
        wrong = draw.pick([label for label in INDICES if label not in (*self.labels, *self.right)])
        return replace(self, labels=(*self.labels[:unit], wrong, *self.labels[unit + 1 :]))

    def row(self) -> Row:
        return {"text": self.text, "labels": sorted(INDICES[label] for label in self.labels)}


def comment(draw: Draw, unseen: bool) -> Comment:
    """A comment of one to four sentences, in the columns of GoEmotions."""
    count = 0 if draw.chance(NEUTRAL) else 1 + draw.chance(TWO)
    emotions = draw.some(EMOTIONS, count)
    sentences = [_capital(draw.pick(allowed(_PHRASES[emotion], unseen))) + "." for emotion in emotions]
    if draw.chance(QUOTED):
        other = draw.pick([emotion for emotion in EMOTIONS if emotion not in emotions])
        quotation = draw.pick(allowed(_PHRASES[other], unseen))
        sentences.append(draw.pick(_TABLES["plain"]["said"]).format(c=draw.pick(_WORDS["c"]), q=quotation))
    sentences.append(
        draw.pick(_TABLES["plain"]["statements"]).format_map({slot: draw.pick(_WORDS[slot]) for slot in "xtn"})
    )
    labels = tuple(emotions) or ("neutral",)
    return Comment(" ".join(map(_capital, draw.some(sentences, len(sentences)))), labels, labels)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
