"""Rows in the hub's columns become examples, or a message that says which row is wrong and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bench_lib.core.errors import BadData
from bench_lib.core.examples import Example, Kind, SpanExample, TagExample, TextExample
from bench_lib.tasks.task import Task

Row = Mapping[str, Any]


def parse(task: Task, rows: Sequence[Row], source: str) -> tuple[Example, ...]:
    """The rows of one split as examples; any row that is not as the task says raises `BadData`.

    `source` is a file, or the name of a data set and its split: messages begin with it. Rows are counted from 0.
    """
    if not rows:
        raise BadData(f"{source} is empty; expected at least one row with the columns {', '.join(task.columns)}")
    read = _READERS[task.kind]
    return tuple(read(_Reader(task, row, source, number)) for number, row in enumerate(rows))


class _Reader:
    """One row, with what a message about it needs."""

    def __init__(self, task: Task, row: Row, source: str, number: int) -> None:
        self.task = task
        self.row = row
        self.source = source
        self.number = number

    def wrong(self, what: str, value: object, expected: str) -> BadData:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return BadData(f"{self.source}, row {self.number} (the first is 0): {what} is {shown}; expected {expected}")

    def get(self, column: str) -> Any:
        if column not in self.row:
            raise BadData(
                f"{self.source}, row {self.number} (the first is 0): column {column!r} is missing; "
                f"there are {', '.join(self.row) or 'none'}; expected {', '.join(self.task.columns)}"
            )
        return self.row[column]

    def text(self, column: str) -> str:
        value = self.get(column)
        if not isinstance(value, str):
            raise self.wrong(column, value, "text")
        return value

    def items(self, column: str) -> Sequence[Any]:
        value = self.get(column)
        if not isinstance(value, (list, tuple)):
            raise self.wrong(column, value, "a list")
        return value


def _read_text(reader: _Reader) -> TextExample:
    *inputs, target = reader.task.columns
    texts = [reader.text(column) for column in inputs]
    return TextExample(texts[0], _label(reader, target), texts[1] if len(texts) > 1 else None)


def _label(reader: _Reader, column: str) -> int:
    value, labels = reader.get(column), reader.task.labels
    # A bool is an int to isinstance, and 1.0 equals 1; neither is a class.
    if type(value) is not int or not 0 <= value < len(labels):
        raise reader.wrong(column, value, " or ".join(f"{i} ({name})" for i, name in enumerate(labels)))
    return value


def _read_tags(reader: _Reader) -> TagExample:
    words_column, tags_column = reader.task.columns
    words, tags = reader.items(words_column), reader.items(tags_column)
    if not words:
        raise reader.wrong(words_column, words, "at least one word")
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise reader.wrong(f"a word in {words_column}", word, "text that is not blank")
    if len(tags) != len(words):
        raise reader.wrong(f"the number of {tags_column}", len(tags), f"{len(words)}, one for each word")
    return TagExample(tuple(words), _strict_iob2(reader, tags_column, tags))


def _strict_iob2(reader: _Reader, column: str, tags: Sequence[Any]) -> tuple[int, ...]:
    indices = tuple(_tag(reader, column, tag) for tag in tags)
    names = ["O", *(reader.task.labels[i] for i in indices)]
    for position, (before, name) in enumerate(pairwise(names)):
        if name.startswith("I-") and before[2:] != name[2:]:
            allowed = f"strict IOB2: B-{name[2:]} or I-{name[2:]} before it, not {before}"
            raise reader.wrong(f"{column}[{position}]", name, allowed)
    return indices


def _tag(reader: _Reader, column: str, tag: object) -> int:
    labels = reader.task.labels
    if isinstance(tag, str) and tag in labels:
        return labels.index(tag)
    if type(tag) is int and 0 <= tag < len(labels):
        return tag
    raise reader.wrong(f"a tag in {column}", tag, f"one of {', '.join(labels)}, or its index, 0 to {len(labels) - 1}")


def _read_span(reader: _Reader) -> SpanExample:
    name, context, question, target = reader.task.columns
    answers = reader.get(target)
    if not isinstance(answers, Mapping) or not {"text", "answer_start"} <= answers.keys():
        raise reader.wrong(target, answers, "a struct of two lists, text and answer_start")
    texts, starts = answers["text"] or (), answers["answer_start"] or ()
    if not texts or len(texts) != len(starts):
        raise reader.wrong(target, answers, "at least one text, and as many answer_start")
    read = [_answer(reader, reader.text(context), text, start) for text, start in zip(texts, starts, strict=True)]
    stripped, moved = zip(*read, strict=True)
    return SpanExample(reader.text(name), reader.text(context), reader.text(question), stripped, moved)


def _answer(reader: _Reader, context: str, text: object, start: object) -> tuple[str, int]:
    """An answer without the white space at its ends, and where it then starts."""
    if not isinstance(text, str) or not text.strip():
        raise reader.wrong("an answer's text", text, "text that is not blank")
    if type(start) is not int or start < 0:
        raise reader.wrong("an answer_start", start, "a character of the context, from 0")
    found = context[start : start + len(text)]
    if found != text:
        raise reader.wrong(f"the answer at character {start}", text, f"what the context holds there, {found!r}")
    return text.strip(), start + len(text) - len(text.lstrip())


_READERS: dict[Kind, Callable[[_Reader], Example]] = {
    Kind.SEQUENCE: _read_text,
    Kind.TOKENS: _read_tags,
    Kind.SPAN: _read_span,
}
