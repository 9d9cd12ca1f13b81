"""Text classification: a text, or a pair of texts, with a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bench_lib.core.errors import require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Text
from bench_lib.tasks.formats.class_metrics import CLASS_METRICS, check_class_metric
from bench_lib.tasks.formats.label_shifts import label_shifts
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import (
    changed_texts,
    inputs_of,
    passages_of,
    read_texts,
    rewordable_texts,
    reworded_texts,
    text_columns,
)
from bench_lib.tasks.formats.word_edits import Passage

MOST_LISTED = 9
"""The most labels that a message lists."""


@dataclass(frozen=True)
class TextExample(Example):
    """A text, or a pair of texts, with a class; marked entities, as in `<e1>press</e1>`, belong to the target."""

    text: str
    label: int
    pair: str | None = None

    @property
    def format(self) -> Format:
        return TEXT_CLASSIFICATION

    @property
    def inputs(self) -> tuple[str, ...]:
        return inputs_of(self)

    @property
    def reference(self) -> int:
        return self.label

    @property
    def label_indices(self) -> Sequence[int]:
        return (self.label,)

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset([labels[self.label]])

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        return passages_of(self)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> TextExample:
        text, pair = changed_texts(self, changed)
        return replace(self, text=text, pair=pair)

    @property
    def rewordable(self) -> tuple[str, ...]:
        return rewordable_texts(self)

    def reworded(self, paraphrases: Mapping[str, str]) -> TextExample:
        text, pair = reworded_texts(self, paraphrases)
        return replace(self, text=text, pair=pair)

    def answered(self, best: Sequence[int]) -> TextExample:
        return replace(self, label=best[0])


def _indices(labels: Sequence[str]) -> str:
    if len(labels) > MOST_LISTED:
        return f"0 to {len(labels) - 1}, the index of a label"
    return " or ".join(f"{i} ({name})" for i, name in enumerate(labels))


class TextClassification(Format):
    """One class for a text or a pair of texts."""

    name: ClassVar[str] = "sequence"
    columns: ClassVar[tuple[int, int]] = (2, 4)
    metrics: ClassVar[Mapping[str, Metric]] = CLASS_METRICS
    aliases: ClassVar[tuple[str, ...]] = (
        *("classification", "text-classification", "sequence-classification", "sequence", "text", "sentiment"),
        *("nli", "entailment", "paraphrase", "acceptability", "glue"),
    )
    sample_task: ClassVar[str] = "sst2"
    auto_model: ClassVar[str] = "AutoModelForSequenceClassification"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.text_classification:TextClassification"
    labels_texts: ClassVar[bool] = True

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(len(labels) >= 2, what, tuple(labels), "two or more")

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        super().check_metrics(metrics, labels, task)
        for metric in metrics:
            check_class_metric(metric, labels, task)

    def parse(self, row: RowReader) -> TextExample:
        text, pair = read_texts(row)
        target = row.columns[-1]
        value = row.get(target)
        # A bool is an int to isinstance, and 1.0 equals 1; neither is a class.
        if type(value) is not int or not 0 <= value < len(row.labels):
            raise row.wrong(target, value, _indices(row.labels))
        return TextExample(text, value, pair)

    def mislabelled(
        self, examples: Sequence[TextExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        shifts = label_shifts(len(examples), share, len(labels), generator)
        return tuple(replace(e, label=(e.label + shifts.get(i, 0)) % len(labels)) for i, e in enumerate(examples))

    def encoded(self, examples: Sequence[TextExample]) -> list[Sequence[Text]]:
        return text_columns(examples)

    def answers(self, examples: Sequence[TextExample], predictions: Predictions) -> Sequence[int]:
        return [int(label) for label in predictions.values.argmax(-1)]

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[TextExample]) -> float:
        references = [example.label for example in examples]
        constants = ([label] * len(references) for label in range(len(labels)))
        return max(self.metrics[metric](labels, constant, references) for constant in constants)


TEXT_CLASSIFICATION = TextClassification()
