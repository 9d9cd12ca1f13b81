"""Descriptions of places to eat: facts as slots with values, and three ways to put them into sentences.

What is said of a fact does not depend on chance, so that a model that has learnt one of the ways can be right to the
letter. A training item is described in one way, an item of evaluation in all three.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, read_lists

FEWEST, MOST = 2, 5
"""How many facts are told beside the name and the kind of place."""

_TABLES = read_lists("restaurants")
_NAMES, _VALUES, _SAID, _WAYS = (_TABLES[part] for part in ("names", "values", "said", "ways"))
_OPTIONAL = re.compile(r"\[([^{]*)\{(\w+)\}([^\]]*)\]")
_ORDER = ("name", *_VALUES, "near")


@dataclass(frozen=True)
class Description:
    """Facts by slot, what the references say of them, and the ways in which they say it."""

    facts: Mapping[str, str]
    told: Mapping[str, str]
    ways: tuple[str, ...]

    @property
    def key(self) -> str:
        return ", ".join(f"{slot.replace('_', ' ')}[{self.facts[slot]}]" for slot in _ORDER if slot in self.facts)

    @property
    def units(self) -> int:
        return 1

    def corrupt(self, unit: int, draw: Draw) -> Description:
        """With references that all have the same wrong value of one fact."""
        slot = draw.pick([slot for slot in _VALUES if slot in self.facts])
        wrong = draw.pick([value for value in _VALUES[slot] if value != self.facts[slot]])
        return replace(self, told={**self.told, slot: wrong})

    def row(self) -> Row:
        return {"meaning_representation": self.key, "human_reference": [_put(way, self.told) for way in self.ways]}


def description(draw: Draw, unseen: bool) -> Description:
    """A place to eat, in the columns of E2E; its references are a list."""
    known = allowed(_NAMES, unseen)
    name, near = draw.some(known, 2)
    slots = ["name", "eatType", *draw.some([*(slot for slot in _VALUES if slot != "eatType"), "near"], _count(draw))]
    facts = {
        slot: draw.pick(_VALUES[slot]) if slot in _VALUES else {"name": name, "near": near}[slot] for slot in slots
    }
    way = draw.pick([*_WAYS])
    return Description(facts, facts, tuple(_WAYS) if unseen else (way,))


def _count(draw: Draw) -> int:
    return FEWEST + draw.below(MOST - FEWEST + 1)


def _put(way: str, facts: Mapping[str, str]) -> str:
    said = {slot: _SAID.get(slot, {}).get(value, value) for slot, value in facts.items()}
    whole = _OPTIONAL.sub(lambda part: f"{part[1]}{{{part[2]}}}{part[3]}" if part[2] in said else "", _WAYS[way])
    return whole.format_map(said)
