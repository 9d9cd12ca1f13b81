"""Texts as words that can be changed one by one; the examples of each format say which words a target stands in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

WORD = re.compile(r"\S+")
UNIT = re.compile(r"^\s+|(\S+)\s*")


@dataclass(frozen=True)
class Word:
    """A word, the white space after it, and the entity or answer that it is part of.

    `at` is where it stood, in characters, and None for a word that was not there. What is `held` belongs to an answer
    and stays as it is. White space that a text begins with is a word without letters.
    """

    text: str
    space: str = " "
    at: int | None = None
    block: int | None = None
    entity: str | None = None
    held: bool = False

    @property
    def free(self) -> bool:
        """Whether it may be changed or left out."""
        return bool(self.text) and not self.held

    @property
    def loose(self) -> bool:
        """Whether it is free and stands in no entity, so that it may go to another place or become another word."""
        return self.free and self.block is None


Passage = tuple[Word, ...]


# ---- texts and their words ------------------------------------------------------------------------------------------


def split(text: str) -> Passage:
    """A text as words, each with the white space after it and its place."""
    units = [(match.group(1) or "", match.span()) for match in UNIT.finditer(text)]
    return tuple(Word(word, text[start + len(word) : end], start) for word, (start, end) in units)


def differ(before: Sequence[Passage], after: Sequence[Passage]) -> bool:
    """Whether other words are read, or in another order."""
    return any([w.text for w in was] != [w.text for w in now] for was, now in zip(before, after, strict=True))


def joined(words: Iterable[Word]) -> tuple[str, dict[int, int]]:
    """The text of words, and by where each stood, how far it moved."""
    text, moved, held = "", dict[int, int](), False
    for word in words:
        # The last word of all has no space after it, and need not be the last any more.
        text += "" if not text or text[-1].isspace() else " "
        if word.at is not None:
            moved[word.at] = len(text) - word.at
        text += word.text + word.space
        held = word.held
    return (text if held else text.rstrip()), moved


# ---- what may be done to words ---------------------------------------------------------------------------------------


def gaps(words: Passage) -> list[int]:
    """Places before which a word may be put in: anywhere but inside an answer."""
    inside = {i for i in range(1, len(words)) if words[i].held and words[i - 1].block == words[i].block}
    return [i for i in range(len(words) + 1) if i not in inside]


def with_words(words: Passage, new: Mapping[int, str]) -> Passage:
    """Some words replaced by others."""
    return tuple(replace(word, text=new.get(i, word.text)) for i, word in enumerate(words))


def with_word(words: Passage, gap: int, text: str) -> Passage:
    """A word more before the one at `gap`; between two words of an entity it belongs to that."""
    before, after = words[:gap], words[gap:]
    shared = bool(before and after) and before[-1].block == after[0].block
    new = Word(text, block=after[0].block, entity=after[0].entity) if shared else Word(text)
    return (*before, new, *after)


def without(words: Passage, gone: Collection[int]) -> Passage:
    """Some words left out; what is left of an entity begins with its first word."""
    return tuple(word for i, word in enumerate(words) if i not in gone)


def exchanged(words: Passage, i: int, j: int) -> Passage:
    """Two words, loose ones, in each other's place."""
    new = list(words)
    new[i], new[j] = words[j], words[i]
    return tuple(new)
