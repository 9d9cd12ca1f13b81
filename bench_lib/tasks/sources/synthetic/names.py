"""Names of persons and places; of the composed ones, training uses one half."""

from __future__ import annotations

from bench_lib.tasks.sources.synthetic.draw import Draw
from bench_lib.tasks.sources.synthetic.word_lists import listed, read_lists

_LISTS = listed(read_lists("names"))
_STEMS = tuple(
    tuple(
        onset + ending
        for i, onset in enumerate(_LISTS["onsets"])
        for j, ending in enumerate(_LISTS["endings"])
        if (i + j) % 2 == half and onset[-1] != ending[0] and not ending.startswith(onset.lower())
    )
    for half in (0, 1)
)


def stem(draw: Draw, unseen: bool) -> str:
    """A composed name that a person, a place or a firm may bear; where `unseen`, seven of ten are not in training."""
    return draw.pick(_STEMS[int(unseen and draw.chance(0.7))])


def bare(draw: Draw, unseen: bool) -> str:
    """A name that only its context makes a person, place or firm: composed, or one in five real."""
    return draw.pick(_LISTS["common"]) if draw.chance(0.2) else stem(draw, unseen)


def first(draw: Draw, unseen: bool) -> str:
    """A first name; the last third of them occurs only where `unseen`."""
    known = _LISTS["first"]
    return draw.pick(known if unseen else known[: len(known) * 2 // 3])
