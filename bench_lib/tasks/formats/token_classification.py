"""Token classification: words with a tag each, in IOB2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from bench_lib.core.errors import BenchError, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.label_names import found_tags
from bench_lib.tasks.formats.label_shifts import label_shifts
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.tag_metrics import OF_ENTITIES, TAG_METRICS, token_accuracy
from bench_lib.tasks.formats.word_edits import Passage, Word

OUTSIDE = "O"
"""The tag of words outside entities; truncated words count as predicted so."""


@dataclass(frozen=True)
class TagExample(Example):
    """Words with a tag each, as indices into the task's labels (IOB2)."""

    words: tuple[str, ...]
    tags: tuple[int, ...]

    @property
    def format(self) -> Format:
        return TOKEN_CLASSIFICATION

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.words

    @property
    def reference(self) -> tuple[int, ...]:
        return self.tags

    @property
    def label_indices(self) -> Sequence[int]:
        return self.tags

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset(entity_types([labels[tag] for tag in self.tags]))

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        words, block = [], -1
        for text, tag in zip(self.words, self.tags, strict=True):
            prefix, _, entity = labels[tag].partition("-")
            block += prefix == "B"
            words.append(Word(text, block=block, entity=entity) if entity else Word(text))
        return (tuple(words),)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> TagExample:
        return TagExample(tuple(word.text for word in changed[0]), _tags(changed[0], labels))

    def answered(self, best: Sequence[int]) -> TagExample:
        return replace(self, tags=tuple(best))


def entity_types(labels: Sequence[str]) -> tuple[str, ...]:
    """The entity types among IOB2 labels, in their order."""
    return tuple(dict.fromkeys(label[2:] for label in labels if label != OUTSIDE))


def mentions(tags: Sequence[int], labels: Sequence[str]) -> list[tuple[int, int]]:
    """The (start, end) of each entity of a sentence, in words, the end not included."""
    starts = [i for i, tag in enumerate(tags) if labels[tag].startswith("B-")]
    inside = [labels[tag].startswith("I-") for tag in tags] + [False]
    return [(start, inside.index(False, start + 1)) for start in starts]


def _tags(words: Passage, labels: Sequence[str]) -> tuple[int, ...]:
    names, before = [], None
    for word in words:
        inside = word.block is not None and word.block == before
        names.append(f"{'I' if inside else 'B'}-{word.entity}" if word.entity else OUTSIDE)
        before = word.block
    return tuple(map(labels.index, names))


class TokenClassification(Format):
    """One tag for each word."""

    name: ClassVar[str] = "tokens"
    columns: ClassVar[tuple[int, int]] = (2, 2)
    metrics: ClassVar[Mapping[str, Metric]] = TAG_METRICS
    roles: ClassVar[tuple[Role, ...]] = (
        Role("words", ("words", "tokens")),
        Role("tags", ("tags", "ner_tags", "labels")),
    )
    aliases: ClassVar[tuple[str, ...]] = (
        *("ner", "tagging", "tokens", "token-classification"),
        *("sequence-labelling", "sequence-labeling"),
    )
    sample_task: ClassVar[str] = "conll2003"
    auto_model: ClassVar[str] = "AutoModelForTokenClassification"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.token_classification:TokenClassification"
    labels_words: ClassVar[bool] = True
    corrections: ClassVar[frozenset[str]] = frozenset({"words", "outside"})

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(len(labels) >= 2, what, tuple(labels), "two or more")
        allowed = f"{OUTSIDE!r} among them, the tag of words outside entities"
        require(OUTSIDE in labels, what, tuple(labels), allowed)

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        """Metrics of entities need IOB2 tags: `O`, a `B-` for each type, an `I-` for the further words of an entity."""
        super().check_metrics(metrics, labels, task)
        wrong = [label for label in labels if label != OUTSIDE and not (label[:2] in ("B-", "I-") and label[2:])]
        unbegun = [label for label in labels if label.startswith("I-") and f"B-{label[2:]}" not in labels]
        of_entities = [metric for metric in metrics if metric in OF_ENTITIES]
        if of_entities and (wrong or unbegun):
            why = f"{', '.join(wrong)} is neither" if wrong else f"{', '.join(unbegun)} stands without its B-"
            raise BenchError(
                f"metric {of_entities[0]} of task {task} reads entities from tags in IOB2, {OUTSIDE!r}, 'B-TYPE' and "
                f"'I-TYPE', and {why}"
            )

    def parse(self, row: RowReader) -> TagExample:
        words_column, tags_column = row.columns
        words, tags = row.items(words_column), row.items(tags_column)
        if not words:
            raise row.wrong(words_column, words, "at least one word")
        for word in words:
            if not isinstance(word, str) or not word.strip():
                raise row.wrong(f"a word in {words_column}", word, "text that is not blank")
        if len(tags) != len(words):
            raise row.wrong(f"the number of {tags_column}", len(tags), f"{len(words)}, one for each word")
        return TagExample(tuple(words), _strict_iob2(row, tags_column, tags))

    def found_labels(self, rows: Sequence[RowReader]) -> tuple[str, ...]:
        """`O`, and the tags that occur; of those of IOB2 both of each type."""
        return found_tags(rows, OUTSIDE)

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return entity_types(labels)

    def mislabelled(
        self, examples: Sequence[TagExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        types, tags = entity_types(labels), [list(example.tags) for example in examples]
        found = [(i, start, end) for i, e in enumerate(examples) for start, end in mentions(e.tags, labels)]
        for number, shift in label_shifts(len(found), share, len(types), generator).items():
            i, start, end = found[number]
            before = types.index(labels[tags[i][start]][2:])
            other = types[(before + shift) % len(types)]
            tags[i][start:end] = [labels.index(f"{'I' if at else 'B'}-{other}") for at in range(end - start)]
        return tuple(replace(example, tags=tuple(new)) for example, new in zip(examples, tags, strict=True))

    def encoded(self, examples: Sequence[TagExample]) -> list[Sequence[Text]]:
        return [[example.words for example in examples]]

    def answers(self, examples: Sequence[TagExample], predictions: Predictions) -> Sequence[list[int]]:
        assert predictions.lengths is not None, "predictions of tags have the length of each sentence"
        tags = np.split(predictions.values.argmax(-1), np.cumsum(predictions.lengths)[:-1])
        return [sentence.tolist() for sentence in tags]

    def in_words(self, example: TagExample, answer: Sequence[int], labels: Sequence[str]) -> str:
        """The words in entities, each with its tag."""
        tags = [labels[tag] for tag in answer]
        return " ".join(f"{w}/{tag}" for w, tag in zip(example.words, tags, strict=True) if tag != OUTSIDE) or OUTSIDE

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[TagExample]) -> float:
        """The score of all `O`, which finds no entity; of single words that of the most frequent tag."""
        if metric in OF_ENTITIES:
            return 0.0
        references = [example.tags for example in examples]
        constants = ([[tag] * len(tags) for tags in references] for tag in range(len(labels)))
        return max(token_accuracy(labels, constant, references) for constant in constants)


def _strict_iob2(row: RowReader, column: str, tags: Sequence[object]) -> tuple[int, ...]:
    indices = [_tag(row, column, tag) for tag in tags]
    names = [OUTSIDE, *(row.labels[i] for i in indices)]
    for position, (before, name) in enumerate(pairwise(names)):
        if name.startswith("I-") and before[2:] != name[2:]:
            begin = f"B-{name[2:]}"
            if not row.mends_tags:
                allowed = f"strict IOB2: {begin} or {name} before it, not {before}"
                raise row.wrong(f"{column}[{position}]", name, allowed)
            indices[position] = row.labels.index(begin)
    return tuple(indices)


def _tag(row: RowReader, column: str, tag: object) -> int:
    labels = row.labels
    if isinstance(tag, str) and tag in labels:
        return labels.index(tag)
    if type(tag) is int and 0 <= tag < len(labels):
        return tag
    raise row.wrong(f"a tag in {column}", tag, f"one of {', '.join(labels)}, or its index, 0 to {len(labels) - 1}")


TOKEN_CLASSIFICATION = TokenClassification()
