"""Sentences with entities, in which the same name is a person, a place, a firm or a club as its context says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic import names
from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, listed, read_lists

TYPES = ("PER", "ORG", "LOC", "MISC")
_VOWELS = ("A", "E", "I", "O")
_TABLES = read_lists("entities")
_FRAMES: Sequence[str] = _TABLES["frames"]
_NAMED = listed(_TABLES["entities"])
_FILLERS = {
    **listed(_TABLES["fillers"]),
    "NUM": [str(n) for n in range(11, 98)],
    "SMALL": [str(n) for n in range(2, 29)],
    "GOAL": "012345",
}
Run = tuple[tuple[str, ...], str]
"""Words that are one entity of that type, or that lie outside any (type `O`)."""


@dataclass(frozen=True)
class Sentence:
    """A sentence as runs of words."""

    runs: tuple[Run, ...]

    @property
    def key(self) -> str:
        return " ".join(word for words, _ in self.runs for word in words)

    @property
    def units(self) -> int:
        return sum(kind != "O" for _, kind in self.runs)

    def corrupt(self, unit: int, draw: Draw) -> Sentence:
        """With another type on one entity, which keeps its boundaries."""
        place = [i for i, (_, kind) in enumerate(self.runs) if kind != "O"][unit]
        words, kind = self.runs[place]
        wrong = (words, draw.pick([other for other in TYPES if other != kind]))
        return replace(self, runs=(*self.runs[:place], wrong, *self.runs[place + 1 :]))

    def row(self) -> Row:
        tags = [tag for words, kind in self.runs for tag in _tags(kind, len(words))]
        return {"tokens": self.key.split(), "ner_tags": tags}


def _tags(kind: str, length: int) -> list[str]:
    return ["O"] * length if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]


def _person(draw: Draw, unseen: bool) -> str:
    first = names.first(draw, unseen)
    return f"{first[0] + '.' if draw.chance(0.2) else first} {_surname(draw, unseen)}"


def _surname(draw: Draw, unseen: bool) -> str:
    return draw.pick(_FILLERS["JOB"][:7]).capitalize() if draw.chance(0.1) else names.bare(draw, unseen)


def _organisation(draw: Draw, unseen: bool) -> str:
    return draw.pick(allowed(_NAMED["ORG"], unseen)).format(names.bare(draw, unseen))


def _event(draw: Draw, unseen: bool) -> str:
    return draw.pick(allowed(_NAMED["EVENT"], unseen)).format(names.bare(draw, unseen))


def _nationality(draw: Draw, unseen: bool) -> str:
    return draw.pick(allowed(_NAMED["NAT"], unseen))


_ENTITIES: dict[str, tuple[str, Callable[[Draw, bool], str]]] = {
    "PER": ("PER", _person),
    "SUR": ("PER", _surname),
    "LOC": ("LOC", names.bare),
    "FIRM": ("ORG", names.bare),
    "CLUB": ("ORG", names.bare),
    "ORG": ("ORG", _organisation),
    "NAT": ("MISC", _nationality),
    "EVENT": ("MISC", _event),
}


def sentence(draw: Draw, unseen: bool) -> Sentence:
    """A sentence in the columns of CoNLL-2003."""
    runs: list[Run] = []
    for slot in draw.pick(_FRAMES).split():
        run = _run(slot, draw, unseen)
        while run in runs and run[0] != (slot,):
            run = _run(slot, draw, unseen)
        if runs and runs[-1][0] == ("a",) and run[0][0].startswith(_VOWELS):
            runs[-1] = (("an",), "O")
        runs.append(run)
    return Sentence(tuple(runs))


def _run(slot: str, draw: Draw, unseen: bool) -> Run:
    kind = slot.rstrip("0123456789")
    if kind in _ENTITIES:
        tag, make = _ENTITIES[kind]
        return tuple(make(draw, unseen).split()), tag
    return tuple((draw.pick(_FILLERS[kind]) if kind in _FILLERS else slot).split()), "O"
