"""Edits of single words of a text; the examples of each format say which words belong to a target."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

WORD = re.compile(r"\S+")
UNIT = re.compile(r"^\s+|(\S+)\s*")


@dataclass(frozen=True)
class Word:
    """A word, the white space after it, and the entity or answer that it is part of.

    `at` is its position in the original text, in characters, and None for a new word. A `protected` word belongs to an
    answer or a marked entity and never changes. `block` numbers the entities or answers. White space at the start of a
    text is a word without letters.
    """

    text: str
    space: str = " "
    at: int | None = None
    block: int | None = None
    entity: str | None = None
    protected: bool = False

    @property
    def editable(self) -> bool:
        """Whether it may be changed or deleted."""
        return bool(self.text) and not self.protected

    @property
    def movable(self) -> bool:
        """Whether it is editable and outside any entity, so that it may be moved or replaced by another word."""
        return self.editable and self.block is None


Passage = tuple[Word, ...]


# ---- texts and their words ------------------------------------------------------------------------------------------


def split(text: str) -> Passage:
    """A text as words, each with the white space after it and its place."""
    units = [(match.group(1) or "", match.span()) for match in UNIT.finditer(text)]
    return tuple(Word(word, text[start + len(word) : end], start) for word, (start, end) in units)


def protect(words: Passage, spans: Iterable[tuple[int, int]]) -> Passage:
    """The words of a text with those that overlap a target's span, in characters, protected.

    `spans` are in rising order; those that share a word form one block.
    """
    new, block, last = list(words), -1, -1
    ends = [word.at + len(word.text + word.space) for word in words if word.at is not None]
    for start, end in spans:
        inside = [i for i, after in enumerate(ends) if (words[i].at or 0) < end and after > start]
        block += inside[0] > last
        last = max(last, inside[-1])
        for i in inside:
            new[i] = replace(words[i], block=block, protected=True)
    return tuple(new)


def differ(before: Sequence[Passage], after: Sequence[Passage]) -> bool:
    """Whether the words or their order differ."""
    return any([w.text for w in was] != [w.text for w in now] for was, now in zip(before, after, strict=True))


def joined(words: Iterable[Word]) -> tuple[str, dict[int, int]]:
    """The text of words, and how far each word moved, by its original position."""
    text, moved, protected = "", dict[int, int](), False
    for word in words:
        # The last word of the original text has no space after it, and others may follow it now.
        text += "" if not text or text[-1].isspace() else " "
        if word.at is not None:
            moved[word.at] = len(text) - word.at
        text += word.text + word.space
        protected = word.protected
    return (text if protected else text.rstrip()), moved


# ---- edits -----------------------------------------------------------------------------------------------------------


def gaps(words: Passage) -> list[int]:
    """The indices before which a word may be inserted: all but those inside an answer."""
    inside = {i for i in range(1, len(words)) if words[i].protected and words[i - 1].block == words[i].block}
    return [i for i in range(len(words) + 1) if i not in inside]


def with_words(words: Passage, new: Mapping[int, str]) -> Passage:
    """Some words replaced by others."""
    return tuple(replace(word, text=new.get(i, word.text)) for i, word in enumerate(words))


def with_word(words: Passage, gap: int, text: str) -> Passage:
    """The words with one more before index `gap`; between two words of an entity it becomes part of it."""
    before, after = words[:gap], words[gap:]
    shared = bool(before and after) and before[-1].block == after[0].block
    new = Word(text, block=after[0].block, entity=after[0].entity) if shared else Word(text)
    return (*before, new, *after)


def without(words: Passage, deleted: Collection[int]) -> Passage:
    """The words except those at the deleted indices; the rest of an entity begins with its first remaining word."""
    return tuple(word for i, word in enumerate(words) if i not in deleted)


def exchanged(words: Passage, i: int, j: int) -> Passage:
    """The words with two movable ones swapped."""
    new = list(words)
    new[i], new[j] = words[j], words[i]
    return tuple(new)
