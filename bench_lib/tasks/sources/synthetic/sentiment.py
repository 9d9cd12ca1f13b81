"""Reviews, short and long, whose sentiment lies in how the words are put together.

Short ones state an opinion plainly, negate it, contrast two, or compose it. Long ones have plot, hearsay of either
polarity, and the writer's own remarks, most of which agree with the label, with a verdict among the first sentences or
at the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, listed, read_lists

SHORT_MIX = ((0.70, "plain"), (0.82, "flipped"), (0.95, "contrast"), (1.0, "composed"))
LONG_MIX = ((0.80, "plain"), (0.90, "flipped"), (0.97, "contrast"), (1.0, "composed"))
"""Cumulative shares of the kinds of remark, before duplicates are dropped."""
LONG_WORDS = (80, 200)
Mix = tuple[tuple[float, str], ...]
Frames = Sequence[tuple[str, int]]
"""Texts with the sign by which each turns the polarity of its opinion words."""

_TABLES = read_lists("sentiment")
_WORDS, _OPINIONS = listed(_TABLES["words"]), listed(_TABLES["opinions"])
_REMARKS: dict[str, Frames] = _TABLES["remarks"]
_CONTRAST, _LONG = _TABLES["contrast"], _TABLES["long"]

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou]|honest)")
_SENTENCE = re.compile(r"(^|[.!] )([a-z])")


@dataclass(frozen=True)
class Review:
    """A text with its label, 0 negative or 1 positive, and the hub's name for the text's column."""

    text: str
    label: int
    column: str

    @property
    def key(self) -> str:
        return self.text

    @property
    def units(self) -> int:
        return 1

    def corrupt(self, unit: int, draw: Draw) -> Review:
        return replace(self, label=1 - self.label)

    def row(self) -> Row:
        return {self.column: self.text, "label": self.label}


_LEXICONS = {
    unseen: {**_WORDS, **{slot: allowed(options, unseen) for slot, options in _OPINIONS.items()}}
    for unseen in (False, True)
}
"""Words by slot; an opinion's slot ends with its sign."""


class _Voice(dict[str, str]):
    """The words of one review: drawn as frames ask for them, one work and one hero throughout, no repeats nearby."""

    def __init__(self, unseen: bool, mix: Mix, draw: Draw) -> None:
        super().__init__()
        self._lexicon, self._mix, self._draw = _LEXICONS[unseen], mix, draw
        self._polarity, self._used = 1, [""] * 4
        self._fixed = {"w": draw.pick(_WORDS["w"]), "j": draw.pick(_WORDS["j"])}

    def __missing__(self, slot: str) -> str:
        kind = slot.rstrip("0123456789")
        options = self._lexicon[kind + "-+"[self._polarity > 0] if kind.isupper() else kind]
        word = self._draw.pick(options)
        while word in self._used or word in self.values():
            word = self._draw.pick(options)
        self._used = [*self._used[1:], word]
        self[slot] = word
        return word

    def say(self, text: str, surface: int = 1) -> str:
        """The frame filled with opinion words of that polarity, 1 or -1."""
        self.clear()
        self.update(self._fixed)
        self._polarity = surface
        return text.format_map(self)

    def mean(self, choices: Frames, meaning: int) -> str:
        """One of the frames, filled so that it means that polarity."""
        text, sign = self._draw.pick(choices)
        return self.say(text, meaning * sign)

    def remark(self, meaning: int) -> str:
        """A sentence of the writer's own opinion."""
        point = self._draw.below(1000) / 1000
        kind = next(kind for share, kind in self._mix if point < share)
        if kind != "contrast":
            return self.mean(_REMARKS[kind], meaning)
        loser, winner = self.mean(_CONTRAST["loser"], -meaning), self.mean(_CONTRAST["winner"], meaning)
        return str(self._draw.pick(_CONTRAST["frames"])).format(loser=loser, winner=winner)


def _tidy(text: str) -> str:
    """With capitals at the start of sentences, and `an` before a vowel."""
    text = _ARTICLE.sub(r"\1n ", text)
    return _SENTENCE.sub(lambda found: found[1] + found[2].upper(), text)


def short(draw: Draw, unseen: bool) -> Review:
    """A review of a sentence, in the columns of SST-2."""
    label = draw.below(2)
    return Review(_tidy(_Voice(unseen, SHORT_MIX, draw).remark(2 * label - 1)), label, "sentence")


def long(draw: Draw, unseen: bool) -> Review:
    """A review of 80 to 200 words, in the columns of IMDb."""
    label = draw.below(2)
    text = ""
    while not LONG_WORDS[0] <= len(text.split()) <= LONG_WORDS[1]:
        text = _long_text(_Voice(unseen, LONG_MIX, draw), 2 * label - 1, draw)
    return Review(text, label, "text")


def _long_text(voice: _Voice, meaning: int, draw: Draw) -> str:
    body = _body(voice, meaning, draw)
    verdict = voice.mean(_LONG["verdicts"], meaning)
    body.insert(draw.below(3) if draw.chance(0.5) else len(body), verdict)
    sentences = [_tidy(text) for text in [voice.say(draw.pick(_LONG["openings"])), *body]]
    if draw.chance(0.5):
        place = 2 + draw.below(len(sentences) - 3)
        sentences[place] = "<br /><br />" + sentences[place]
    return " ".join(sentences).replace(" <br", "<br")


def _body(voice: _Voice, meaning: int, draw: Draw) -> list[str]:
    """Plot, hearsay and remarks, shuffled: three more remarks agree with the verdict than not."""
    against = draw.below(2)
    body = [voice.say(text) for text in draw.some(_LONG["plots"], 2 + draw.below(3))]
    body += [voice.say(text, draw.pick((-1, 1))) for text in draw.some(_LONG["hearsay"], 1 + draw.below(2))]
    body += [voice.remark(meaning) for _ in range(against + 3)]
    body += [voice.remark(-meaning) for _ in range(against)]
    return draw.some(body, len(body))
