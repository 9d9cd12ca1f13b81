"""Plain examples, one type for each shape of answer: what sources hand over and techniques may augment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The shape of a task's answer, which decides the model's head."""

    SEQUENCE = "sequence"
    TOKENS = "tokens"
    SPAN = "span"


@dataclass(frozen=True)
class TextExample:
    """A text, or a pair of texts, with a class."""

    text: str
    label: int
    pair: str | None = None


@dataclass(frozen=True)
class TagExample:
    """Words with a tag each, as indices into the task's labels (IOB2)."""

    words: tuple[str, ...]
    tags: tuple[int, ...]


@dataclass(frozen=True)
class SpanExample:
    """A question on a context; every reference answer stands in the context at its start, in characters."""

    id: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


Example = TextExample | TagExample | SpanExample


def inputs(example: Example) -> tuple[str, ...]:
    """What a model reads of an example: the text and its pair, the words, or the question and its context."""
    if isinstance(example, SpanExample):
        return example.question, example.context
    if isinstance(example, TagExample):
        return example.words
    return (example.text,) if example.pair is None else (example.text, example.pair)
