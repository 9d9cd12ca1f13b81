"""Pairs of sentences about a scene, whose similarity is how much of the scene they share, whatever the wording.

A scene has five parts. Two sentences have the same meaning there in other words, a related one, or another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench_lib.tasks.sources.synthetic.draw import Draw, Row
from bench_lib.tasks.sources.synthetic.word_lists import allowed, read_lists

POINTS = {"who": 1.0, "does": 2.0, "where": 1.0, "when": 0.5, "how": 0.5}
"""What each part counts; a related meaning counts half."""
FRAMES = ("{who} {does} {where} {when}, {how}.", "{where}, {who} {does} {how} {when}.")
_GROUPS: dict[str, Sequence[Sequence[Sequence[str]]]] = {
    part: [group["wordings"] for group in groups] for part, groups in read_lists("similarity").items()
}
Meaning = tuple[int, int]
"""The number of a group, and the place of the meaning in it."""


@dataclass(frozen=True)
class Pair:
    """Two sentences and their similarity, 0 to 5."""

    first: str
    second: str
    similarity: float

    @property
    def key(self) -> str:
        return f"{self.first}\n{self.second}"

    @property
    def units(self) -> int:
        return 1

    def corrupt(self, unit: int, draw: Draw) -> Pair:
        """With the similarity of another pair."""
        while (other := pair(draw, unseen=False).similarity) == self.similarity:
            pass
        return replace(self, similarity=other)

    def row(self) -> Row:
        return {"sentence1": self.first, "sentence2": self.second, "label": self.similarity}


def pair(draw: Draw, unseen: bool) -> Pair:
    """A pair of sentences, in the columns of STS-B."""
    likeness = draw.below(101) / 100  # of the two scenes, so that all similarities are about as frequent
    first = {part: (draw.below(len(groups)), draw.below(2)) for part, groups in _GROUPS.items()}
    second, similarity = dict[str, Meaning](), 0.0
    for part, (group, place) in first.items():
        if draw.chance(likeness):
            second[part], share = (group, place), 1.0
        elif draw.chance(0.4):
            second[part], share = (group, 1 - place), 0.5
        else:
            second[part], share = (_elsewhere(group, len(_GROUPS[part]), draw), draw.below(2)), 0.0
        similarity += share * POINTS[part]
    return Pair(_sentence(first, unseen, draw), _sentence(second, unseen, draw), similarity)


def _elsewhere(group: int, groups: int, draw: Draw) -> int:
    return (group + 1 + draw.below(groups - 1)) % groups


def _sentence(scene: dict[str, Meaning], unseen: bool, draw: Draw) -> str:
    words = {part: draw.pick(allowed(_GROUPS[part][group][place], unseen)) for part, (group, place) in scene.items()}
    text = draw.pick(FRAMES).format_map(words)
    return text[0].upper() + text[1:]
