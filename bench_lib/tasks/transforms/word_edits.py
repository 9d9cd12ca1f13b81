"""Examples as words that can be changed one by one, and back: tags and answers end up where they belong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench_lib.core.examples import Example, SpanExample, TagExample, TextExample

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


# ---- examples and their passages -------------------------------------------------------------------------------------


def passages(example: Example, labels: Sequence[str]) -> tuple[Passage, ...]:
    """The texts of an example as words: text and pair, the tagged words, or context and question.

    `labels` are the task's, in IOB2 where there are tags.
    """
    if isinstance(example, TextExample):
        return tuple(_split(text) for text in (example.text, example.pair) if text is not None)
    if isinstance(example, TagExample):
        return (_tagged(example, labels),)
    return _context(example), _split(example.question)


def rewritten(example: Example, changed: Sequence[Passage], labels: Sequence[str]) -> Example:
    """The example with its passages as they became; tags are strict IOB2, and every answer stands at its start."""
    before = passages(example, labels)
    if isinstance(example, TagExample):
        return TagExample(tuple(word.text for word in changed[0]), _tags(changed[0], labels))
    if isinstance(example, TextExample):
        texts = (example.text, example.pair or "")
        new = [text if now == was else joined(now)[0] for text, was, now in zip(texts, before, changed, strict=False)]
        return replace(example, text=new[0], pair=new[1] if len(new) > 1 else None)
    question = example.question if changed[1] == before[1] else joined(changed[1])[0]
    if changed[0] == before[0]:
        return replace(example, question=question)
    context, moved = joined(changed[0])
    starts = tuple(start + moved[_unit(before[0], start)] for start in example.starts)
    return replace(example, context=context, question=question, starts=starts)


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


def _split(text: str) -> Passage:
    units = [(match.group(1) or "", match.span()) for match in UNIT.finditer(text)]
    return tuple(Word(word, text[start + len(word) : end], start) for word, (start, end) in units)


def _tagged(example: TagExample, labels: Sequence[str]) -> Passage:
    words, block = [], -1
    for text, tag in zip(example.words, example.tags, strict=True):
        prefix, _, entity = labels[tag].partition("-")
        block += prefix == "B"
        words.append(Word(text, block=block, entity=entity) if entity else Word(text))
    return tuple(words)


def _tags(words: Passage, labels: Sequence[str]) -> tuple[int, ...]:
    names, before = [], None
    for word in words:
        inside = word.block is not None and word.block == before
        names.append(f"{'I' if inside else 'B'}-{word.entity}" if word.entity else "O")
        before = word.block
    return tuple(map(labels.index, names))


def _context(example: SpanExample) -> Passage:
    """The words that answers lie in, with the space after them, are held; answers that share a word are one block."""
    words, block, last = list(_split(example.context)), -1, -1
    ends = [word.at + len(word.text + word.space) for word in words if word.at is not None]
    for start, text in sorted(zip(example.starts, example.answers, strict=True)):
        inside = [i for i, end in enumerate(ends) if (words[i].at or 0) < start + len(text) and end > start]
        block += inside[0] > last
        last = max(last, inside[-1])
        for i in inside:
            words[i] = replace(words[i], block=block, held=True)
    return tuple(words)


def _unit(words: Passage, start: int) -> int:
    """Where the word stood that a character belongs to."""
    return max(word.at for word in words if word.at is not None and word.at <= start)


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
