"""Reviews, short and long, whose sentiment lies in how the words are put together.

Short ones state an opinion plainly, negate it, set two against each other, or reach it by composition. Long ones
give plot, hearsay of either polarity, and the writer's own remarks, of which more agree with the label than not,
with a verdict among the first sentences or at the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic import sentiment_frames as frames
from bench_lib.tasks.sources.synthetic import sentiment_words as words
from bench_lib.tasks.sources.synthetic.draw import Draw, Row

SHORT_MIX = ((0.70, "plain"), (0.82, "flipped"), (0.95, "contrast"), (1.0, "composed"))
LONG_MIX = ((0.80, "plain"), (0.90, "flipped"), (0.97, "contrast"), (1.0, "composed"))
"""Cumulative shares of the kinds of remark, before duplicates are dropped."""
LONG_WORDS = (80, 200)
Mix = tuple[tuple[float, str], ...]

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

    def spoil(self, unit: int, draw: Draw) -> Review:
        return replace(self, label=1 - self.label)

    def row(self) -> Row:
        return {self.column: self.text, "label": self.label}


def _lexicon(unseen: bool) -> dict[str, Sequence[str]]:
    """Words by slot, with the sign where the slot has one; the last quarter of the opinions only where `unseen`."""
    found: dict[str, Sequence[str]] = {
        "x": words.ASPECTS, "y": words.COUNTABLE_ASPECTS, "i": words.INTENSIFIERS, "c": words.COMPANIONS,
        "p": words.PLACES, "j": words.JOBS, "t": words.TOWNS, "e": words.ERRANDS, "s": words.EVENTS,
    }  # fmt: skip
    opinions: tuple[tuple[str, Sequence[str]], ...] = (
        ("A+", words.GOOD_ADJECTIVES), ("A-", words.BAD_ADJECTIVES), ("N+", words.GOOD_NOUNS), ("N-", words.BAD_NOUNS),
        ("V+", [past for past, _ in words.GOOD_VERBS]), ("V-", [past for past, _ in words.BAD_VERBS]),
        ("B+", [base for _, base in words.GOOD_VERBS]), ("B-", [base for _, base in words.BAD_VERBS]),
    )  # fmt: skip
    found.update((slot, options if unseen else options[: len(options) * 3 // 4]) for slot, options in opinions)
    return found


_LEXICONS = {unseen: _lexicon(unseen) for unseen in (False, True)}


class _Voice(dict[str, str]):
    """The words of one review: drawn as frames ask for them, one work and one hero throughout, no repeats nearby."""

    def __init__(self, unseen: bool, mix: Mix, draw: Draw) -> None:
        super().__init__()
        self._lexicon, self._mix, self._draw = _LEXICONS[unseen], mix, draw
        self._polarity, self._used = 1, [""] * 4
        self._fixed = {"w": draw.pick(words.WORKS), "j": draw.pick(words.JOBS)}

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

    def mean(self, choices: frames.Frames, meaning: int) -> str:
        """One of the frames, filled so that it means that polarity."""
        text, sign = self._draw.pick(choices)
        return self.say(text, meaning * sign)

    def remark(self, meaning: int) -> str:
        """A sentence of the writer's own opinion."""
        point = self._draw.below(1000) / 1000
        kind = next(kind for share, kind in self._mix if point < share)
        if kind != "contrast":
            return self.mean(frames.REMARKS[kind], meaning)
        loser, winner = self.mean(frames.ASPECT_CLAUSES, -meaning), self.mean(frames.CLAUSES, meaning)
        return self._draw.pick(frames.CONTRASTS).format(loser=loser, winner=winner)


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
    verdict = voice.mean(frames.VERDICTS, meaning)
    body.insert(draw.below(3) if draw.chance(0.5) else len(body), verdict)
    sentences = [_tidy(text) for text in [voice.say(draw.pick(frames.OPENINGS)), *body]]
    if draw.chance(0.5):
        place = 2 + draw.below(len(sentences) - 3)
        sentences[place] = "<br /><br />" + sentences[place]
    return " ".join(sentences).replace(" <br", "<br")


def _body(voice: _Voice, meaning: int, draw: Draw) -> list[str]:
    """Plot, hearsay and remarks, shuffled: three more remarks agree with the verdict than not."""
    against = draw.below(2)
    body = [voice.say(text) for text in draw.some(frames.PLOTS, 2 + draw.below(3))]
    body += [voice.say(text, draw.pick((-1, 1))) for text in draw.some(frames.HEARSAY, 1 + draw.below(2))]
    body += [voice.remark(meaning) for _ in range(against + 3)]
    body += [voice.remark(-meaning) for _ in range(against)]
    return draw.some(body, len(body))
