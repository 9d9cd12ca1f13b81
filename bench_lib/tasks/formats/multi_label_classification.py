"""Multi-label classification: a text, or a pair of texts, with a set of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.label_names import found_names, index_of
from bench_lib.tasks.formats.label_set_metrics import LABEL_SET_METRICS, best_constant
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import TEXT_ROLES, TextsExample, read_texts, text_columns

UNDECIDED = 0.0
"""The logit of the probability 0.5, above which a label is predicted."""


@dataclass(frozen=True)
class LabelSetExample(TextsExample):
    """A text, or a pair of texts, with a set of labels as rising indices."""

    text: str
    label_set: tuple[int, ...]
    pair: str | None = None

    @property
    def format(self) -> Format:
        return MULTI_LABEL_CLASSIFICATION

    @property
    def reference(self) -> tuple[int, ...]:
        return self.label_set

    @property
    def label_indices(self) -> Sequence[int]:
        return self.label_set

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset(labels[index] for index in self.label_set)


class MultiLabelClassification(Format):
    """A set of labels for a text or a pair of texts; stored predictions are a logit for each label.

    A label is predicted where its probability, the sigmoid of its logit, is above 0.5.
    """

    name: ClassVar[str] = "multi_label"
    columns: ClassVar[tuple[int, int]] = (2, 4)
    metrics: ClassVar[Mapping[str, Metric]] = LABEL_SET_METRICS
    roles: ClassVar[tuple[Role, ...]] = (
        *TEXT_ROLES,
        Role("labels", ("labels", "label", "tags", "topics", "categories", "emotions", "genres")),
    )
    recognised_last: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("multi-label", "multi-label-classification", "multilabel", "emotions")
    sample_task: ClassVar[str] = "go_emotions"
    auto_model: ClassVar[str] = "AutoModelForSequenceClassification"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.multi_label_classification:MultiLabelClassification"
    reads_templates: ClassVar[bool] = True
    labels_sets: ClassVar[bool] = True

    def head_outputs(self, labels: int) -> int:
        return labels

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(len(labels) >= 2, what, tuple(labels), "two or more")

    def parse(self, row: RowReader) -> LabelSetExample:
        text, pair = read_texts(row)
        target = row.columns[-1]
        values = row.items(target)
        # A bool is an int to isinstance, and 1.0 equals 1; neither is a label.
        if any(type(value) is not int or not 0 <= value < len(row.labels) for value in values):
            raise row.wrong(target, values, f"indices of labels, 0 to {len(row.labels) - 1}")
        if len(set(values)) < len(values):
            raise row.wrong(target, values, "each label once")
        return LabelSetExample(text, tuple(sorted(values)), pair)

    def found_labels(self, rows: Sequence[RowReader]) -> tuple[str, ...]:
        """The names of the labels: texts, or whole numbers in their order."""
        target = rows[0].columns[-1] if rows else ""
        single = [replace(row, row={target: value}) for row in rows for value in row.items(target)]
        return found_names(single)

    def may_predict(self, values: Sequence[Any]) -> bool:
        return any(isinstance(value, (list, tuple)) for value in values)

    def read_target(self, value: Any, labels: Sequence[str]) -> Any:
        """The indices of labels by their names or their indices."""
        return [index_of(each, labels) for each in value] if isinstance(value, (list, tuple)) else value

    def mislabelled(
        self, examples: Sequence[LabelSetExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        """A share of the examples gets another set: as many labels, none of them right; one in place of none.

        Fewer where a text has more than half of all labels.
        """
        # Drawn for all, so that the corrupted sets of a smaller share are among those of a larger one.
        order = generator.permutation(len(examples)).tolist()
        seeds = generator.integers(2**63, size=len(examples)).tolist()
        found: list[Example] = list(examples)
        for i in order[: round(share * len(examples))]:
            true = examples[i].label_set
            others = [index for index in range(len(labels)) if index not in true]
            drawn = np.random.default_rng(seeds[i]).permutation(others)[: max(1, len(true))]
            found[i] = replace(examples[i], label_set=tuple(sorted(drawn.tolist())))
        return tuple(found)

    def prior(self, examples: Sequence[LabelSetExample], labels: Sequence[str]) -> Sequence[float] | None:
        """The log odds of each label, with half a text more that has it and half a one that has not.

        As Lin et al. 2017, "Focal Loss for Dense Object Detection" (arXiv:1708.02002), section 4.1: at even odds all
        texts pull the body towards no label at all, until it tells none from another.
        """
        if not examples:
            return None
        counts = np.bincount([label for e in examples for label in e.label_set], minlength=len(labels))
        odds: list[float] = np.log((counts + 0.5) / (len(examples) - counts + 0.5)).tolist()
        return odds

    def encoded(self, examples: Sequence[LabelSetExample]) -> list[Sequence[Text]]:
        return text_columns(examples)

    def answers(self, examples: Sequence[LabelSetExample], predictions: Predictions) -> Sequence[tuple[int, ...]]:
        return [tuple(np.flatnonzero(logits > UNDECIDED).tolist()) for logits in predictions.values]

    def in_words(self, example: LabelSetExample, answer: Sequence[int], labels: Sequence[str]) -> str:
        return ", ".join(labels[index] for index in answer) or "no label"

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        """Equal numbers for equal sets."""
        runs, items, labels = values.shape
        _, numbers = np.unique((values > UNDECIDED).reshape(-1, labels), axis=0, return_inverse=True)
        return np.asarray(numbers).reshape(runs, items)

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[LabelSetExample]) -> float:
        return best_constant(metric, [example.label_set for example in examples])


MULTI_LABEL_CLASSIFICATION = MultiLabelClassification()
