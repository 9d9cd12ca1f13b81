"""One text or a pair of texts, as examples of several formats have them; marked entities belong to the target."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self

from bench_lib.tasks.formats.base import Example, Role, Text
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.word_edits import Passage, joined, protect, split

MARKED = re.compile(r"<(e\d)>.*?</\1>", re.DOTALL)
"""An entity between its markers, which the target is about."""

TEXT_ROLES = (
    Role("text", ("text", "sentence", "sentence1", "text1", "premise", "review", "content", "question")),
    Role("pair", ("pair", "sentence2", "text2", "text_pair", "hypothesis", "passage"), optional=True),
)


class Texts(Protocol):
    """An example of a text or a pair of texts."""

    @property
    def text(self) -> str: ...

    @property
    def pair(self) -> str | None: ...


class TextsExample(Example):
    """An example of a text or a pair of texts, whose edits leave its target as it is; a frozen dataclass."""

    text: str
    pair: str | None

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self)

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        return passages_of(self)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> Self:
        return self._with(*changed_texts(self, changed))

    @property
    def rewordable(self) -> tuple[str, ...]:
        return rewordable_texts(self)

    def reworded(self, paraphrases: Mapping[str, str]) -> Self:
        return self._with(*reworded_texts(self, paraphrases))

    def _with(self, text: str, pair: str | None) -> Self:
        own: Any = self  # a dataclass, as its concrete classes say
        found: Self = replace(own, text=text, pair=pair)
        return found


def read_texts(row: RowReader) -> tuple[str, str | None]:
    """The texts of a row, as its task reads them; of three the first, such as a word, is put before the second."""
    columns = row.columns[:-1]
    if row.reading.templates:
        texts = row.reading.texts({column: _spelled(row, column) for column in columns})
    else:
        texts = [row.text(column) for column in columns]
    return (texts[0], None) if len(texts) == 1 else (": ".join(texts[:-1]), texts[-1])


def _spelled(row: RowReader, column: str) -> str:
    """The text of a column, or what the task reads in its place."""
    text, spellings = row.text(column), row.reading.spellings(column)
    if spellings and text not in spellings:
        raise row.wrong(column, text, " or ".join(map(repr, spellings)))
    return spellings.get(text, text)


def inputs_of(example: Texts) -> tuple[str, ...]:
    """The texts that a model reads."""
    return (example.text,) if example.pair is None else (example.text, example.pair)


def passages_of(example: Texts) -> tuple[Passage, ...]:
    """The texts as words, those of marked entities protected."""
    return tuple(protect(split(text), [one.span() for one in MARKED.finditer(text)]) for text in inputs_of(example))


def changed_texts(example: Texts, changed: Sequence[Passage]) -> tuple[str, str | None]:
    """The texts after edits of their words; a text without any stays as it is, white space included."""
    passages = zip(inputs_of(example), passages_of(example), changed, strict=False)
    new = [text if now == was else joined(now)[0] for text, was, now in passages]
    return new[0], new[1] if len(new) > 1 else None


def rewordable_texts(example: Texts) -> tuple[str, ...]:
    """The texts without marked entities."""
    return tuple(text for text in (example.text, example.pair or "") if not MARKED.search(text))


def reworded_texts(example: Texts, paraphrases: Mapping[str, str]) -> tuple[str, str | None]:
    """The texts with their paraphrases, where there are any."""
    text, *pair = (paraphrases.get(text, text) for text in inputs_of(example))
    return text, pair[0] if pair else None


def text_columns(examples: Sequence[Texts]) -> list[Sequence[Text]]:
    """The columns for the tokenizer."""
    paired = any(example.pair is not None for example in examples)
    return [[e.text for e in examples], *([[e.pair or "" for e in examples]] if paired else [])]
