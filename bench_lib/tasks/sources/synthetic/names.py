"""Names of persons and places, most of them composed, in two halves of which training sees one."""

from __future__ import annotations

from bench_lib.tasks.sources.synthetic.draw import Draw, listed

_ONSETS = listed(
    """
    Al Ash Bar Bel Bran Bren Cal Car Cor Dal Den Dor Dun El Fen Gar Gil Hal Har Hol Kel Kes Lan Lin Lor Mal Mar
    Mel Mon Nor Os Pel Ral Ros Sal Sel Stan Tal Thorn Tor Vel Wal Wen Win Yar Zel
    """
)
_ENDINGS = listed(
    """
    bury by combe dale den don field ford gate ham holm land ley low man mere mont more ridge rick ston ton vale
    ville wall well wick win worth
    """
)
_STEMS = tuple(
    tuple(
        onset + ending
        for i, onset in enumerate(_ONSETS)
        for j, ending in enumerate(_ENDINGS)
        if (i + j) % 2 == half and onset[-1] != ending[0] and not ending.startswith(onset.lower())
    )
    for half in (0, 1)
)

FIRST_NAMES = listed(
    """
    Anna James Maria Peter Laura David Elena Thomas Sofia Robert Helen Martin Clara Daniel Ruth Simon Alice Victor
    Julia Henrik Nina Oscar Irene Paul Marta George Lucy Andrei Emma Carlos Diana Frank Sarah Miguel Karen Stefan
    Rosa Edward Ingrid Hugo Carol Ivan Janet Pedro Susan Ahmed Linda Kenji Monica Louis Teresa Walter Agnes Bruno
    Yuki Albert Greta Omar Judith Felix
    """
)
COMMON_NAMES = listed(
    """
    Jordan Lincoln Chelsea Austin Hamilton Nelson Preston Lancaster Bradford Kent Derby Warren Jackson Orlando
    Wells Houston Madison Dallas Wellington Douglas Burton Stafford Carlisle Sutton Richmond Hastings Kingston
    Clifton Windsor Lawrence Milton Chester Morgan Ford Bolton Crawley Denver Raleigh Benton Trenton
    """
)
"""Real names that are borne by persons, by places and by firms or clubs."""


def stem(draw: Draw, unseen: bool) -> str:
    """A composed name that a person, a place or a firm may bear; where `unseen`, seven of ten are not in training."""
    return draw.pick(_STEMS[int(unseen and draw.chance(0.7))])


def bare(draw: Draw, unseen: bool) -> str:
    """A name of which only the context says what it is: composed, or one in five real."""
    return draw.pick(COMMON_NAMES) if draw.chance(0.2) else stem(draw, unseen)


def first(draw: Draw, unseen: bool) -> str:
    """A first name; the last third of them occurs only where `unseen`."""
    return draw.pick(FIRST_NAMES if unseen else FIRST_NAMES[: len(FIRST_NAMES) * 2 // 3])
