"""Text classification: a text, or a pair of texts, with a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bench_lib.core.errors import require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.class_metrics import CLASS_METRICS, check_class_metric
from bench_lib.tasks.formats.label_names import are_on_a_scale, found_names, index_of
from bench_lib.tasks.formats.label_shifts import label_shifts
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import TEXT_ROLES, TextsExample, read_texts, text_columns

MOST_LISTED = 9
"""The most labels that a message lists."""


@dataclass(frozen=True)
class TextExample(TextsExample):
    """A text, or a pair of texts, with a class; marked entities, as in `<e1>press</e1>`, belong to the target."""

    text: str
    label: int
    pair: str | None = None

    @property
    def format(self) -> Format:
        return TEXT_CLASSIFICATION

    @property
    def reference(self) -> int:
        return self.label

    @property
    def label_indices(self) -> Sequence[int]:
        return (self.label,)

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset([labels[self.label]])

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
    roles: ClassVar[tuple[Role, ...]] = (
        *TEXT_ROLES,
        Role("label", ("label", "labels", "class", "target", "category", "intent", "sentiment")),
    )
    aliases: ClassVar[tuple[str, ...]] = (
        *("classification", "text-classification", "sequence-classification", "sequence", "text", "sentiment"),
        *("nli", "entailment", "paraphrase", "acceptability", "glue"),
    )
    sample_task: ClassVar[str] = "sst2"
    auto_model: ClassVar[str] = "AutoModelForSequenceClassification"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.text_classification:TextClassification"
    reads_templates: ClassVar[bool] = True
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

    def found_labels(self, rows: Sequence[RowReader]) -> tuple[str, ...]:
        """The names of the classes: texts, or whole numbers in their order."""
        return found_names(rows)

    def may_predict(self, values: Sequence[Any]) -> bool:
        return not are_on_a_scale(values) and not any(isinstance(value, (list, tuple)) for value in values)

    def read_target(self, value: Any, labels: Sequence[str]) -> Any:
        """The index of a class by its name or its index."""
        return index_of(value, labels)

    def mislabelled(
        self, examples: Sequence[TextExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        shifts = label_shifts(len(examples), share, len(labels), generator)
        return tuple(replace(e, label=(e.label + shifts.get(i, 0)) % len(labels)) for i, e in enumerate(examples))

    def encoded(self, examples: Sequence[TextExample]) -> list[Sequence[Text]]:
        return text_columns(examples)

    def answers(self, examples: Sequence[TextExample], predictions: Predictions) -> Sequence[int]:
        return [int(label) for label in predictions.values.argmax(-1)]

    def in_words(self, example: TextExample, answer: int, labels: Sequence[str]) -> str:
        return labels[answer]

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[TextExample]) -> float:
        references = [example.label for example in examples]
        constants = ([label] * len(references) for label in range(len(labels)))
        return max(self.metrics[metric](labels, constant, references) for constant in constants)


TEXT_CLASSIFICATION = TextClassification()
