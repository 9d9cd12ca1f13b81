"""Text classification: a text, or a pair of texts, with a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import ClassVar

import numpy as np

from bench_lib.core.errors import BenchError, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Text
from bench_lib.tasks.formats.label_shifts import label_shifts
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.word_edits import Passage, joined, split


@dataclass(frozen=True)
class TextExample(Example):
    """A text, or a pair of texts, with a class."""

    text: str
    label: int
    pair: str | None = None

    @property
    def format(self) -> Format:
        return TEXT_CLASSIFICATION

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.text,) if self.pair is None else (self.text, self.pair)

    @property
    def reference(self) -> int:
        return self.label

    @property
    def label_indices(self) -> Sequence[int]:
        return (self.label,)

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset([labels[self.label]])

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        return tuple(map(split, self.inputs))

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> TextExample:
        passages = zip(self.inputs, self.passages(labels), changed, strict=False)
        new = [text if now == was else joined(now)[0] for text, was, now in passages]
        return replace(self, text=new[0], pair=new[1] if len(new) > 1 else None)

    @property
    def rewordable(self) -> tuple[str, ...]:
        return (self.text, self.pair or "")

    def reworded(self, paraphrases: Mapping[str, str]) -> TextExample:
        return replace(self, text=paraphrases[self.text], pair=None if self.pair is None else paraphrases[self.pair])

    def answered(self, best: Sequence[int]) -> TextExample:
        return replace(self, label=best[0])


def _accuracy(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    return fmean(guess == true for guess, true in zip(predictions, references, strict=True))


def _binary_f1(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    import sklearn.metrics

    return float(sklearn.metrics.f1_score(references, predictions, zero_division=0))


def _mcc(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    # Undefined where either side is constant: 0 by convention, which scikit-learn reaches only with a warning.
    if len(set(predictions)) == 1 or len(set(references)) == 1:
        return 0.0
    import sklearn.metrics

    return float(sklearn.metrics.matthews_corrcoef(references, predictions))


class TextClassification(Format):
    """One class for a text or a pair of texts."""

    name: ClassVar[str] = "sequence"
    columns: ClassVar[tuple[int, int]] = (2, 3)
    metrics: ClassVar[Mapping[str, Metric]] = {"accuracy": _accuracy, "f1": _binary_f1, "mcc": _mcc}
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
        if "f1" in metrics and len(labels) != 2:
            raise BenchError(
                f"metric f1 of task {task} is of two classes, the second against the first, and there are "
                f"{len(labels)} ({', '.join(labels)}); allowed: accuracy, mcc"
            )

    def parse(self, row: RowReader) -> TextExample:
        *inputs, target = row.columns
        texts = [row.text(column) for column in inputs]
        value = row.get(target)
        # A bool is an int to isinstance, and 1.0 equals 1; neither is a class.
        if type(value) is not int or not 0 <= value < len(row.labels):
            raise row.wrong(target, value, " or ".join(f"{i} ({name})" for i, name in enumerate(row.labels)))
        return TextExample(texts[0], value, texts[1] if len(texts) > 1 else None)

    def mislabelled(
        self, examples: Sequence[TextExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        shifts = label_shifts(len(examples), share, len(labels), generator)
        return tuple(replace(e, label=(e.label + shifts.get(i, 0)) % len(labels)) for i, e in enumerate(examples))

    def encoded(self, examples: Sequence[TextExample]) -> list[Sequence[Text]]:
        paired = any(example.pair is not None for example in examples)
        return [[e.text for e in examples], *([[e.pair or "" for e in examples]] if paired else [])]

    def answers(self, examples: Sequence[TextExample], predictions: Predictions) -> Sequence[int]:
        return [int(label) for label in predictions.values.argmax(-1)]

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[TextExample]) -> float:
        references = [example.label for example in examples]
        constants = ([label] * len(references) for label in range(len(labels)))
        return max(self.metrics[metric](labels, constant, references) for constant in constants)


TEXT_CLASSIFICATION = TextClassification()
