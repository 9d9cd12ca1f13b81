"""Task formats without torch: how rows are parsed, scored and edited, and how labels are corrupted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import UnknownName, Unsupported, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.word_edits import Passage
from bench_lib.tasks.formats.writing import PLAIN, Writing

Metric = Callable[[Sequence[str], Sequence[Any], Sequence[Any]], float]
"""A score of predictions against references, given the task's labels."""

Text = str | tuple[str, ...]
"""Running text, or its words."""

ONE_CLASS = "answers"
"""The one class of a task without labels."""
ROUNDING = 1e-9
"""Scores closer than this differ by the order of summation only."""


class Example(ABC):
    """An example of a task, a frozen dataclass; sources produce them and techniques may augment them."""

    @property
    @abstractmethod
    def format(self) -> Format:
        """The task format."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The texts or words that a model reads."""

    @property
    @abstractmethod
    def reference(self) -> Any:
        """The right answer, as the format's metrics take it."""

    @property
    def accepted_answers(self) -> frozenset[Any]:
        """All answers that are right by themselves."""
        return frozenset([self.reference])

    @property
    def label_indices(self) -> Sequence[int]:
        """Its labels as indices into the task's; empty for a format without labels."""
        return ()

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        """Those of the format's `class_names` that it contains."""
        return frozenset(self.format.class_names(labels))

    @property
    def content(self) -> Example:
        """The example without its identifier, so that equal contents are duplicates."""
        return self

    @property
    def unit(self) -> tuple[str, ...]:
        """What examples share that are not parted where a split is made."""
        return self.inputs

    @abstractmethod
    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        """Its texts as words; words of the target are protected, or name its entity. `labels` are the task's."""

    @abstractmethod
    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> Example:
        """The example with changed passages, and its target moved accordingly."""

    @property
    def rewordable(self) -> tuple[str, ...]:
        """The texts without a target, which may be paraphrased as a whole."""
        return ()

    def reworded(self, paraphrases: Mapping[str, str]) -> Example:
        """The example with its `rewordable` texts replaced by their paraphrases."""
        return self

    def answered(self, best: Sequence[int]) -> Example:
        """The example with predicted labels, one for each row; `Unsupported` for a format without labels."""
        raise Unsupported(f"{self.format} examples bear no labels")


@dataclass(frozen=True)
class Room:
    """The range of scores on an evaluation set between constant and perfect predictions, in the primary metric.

    A run with a final score of at most `trivial` has collapsed; `constant` is the best score of all constant
    predictions, those of tags included; `best` is the score of the right answers.
    """

    constant_baseline: float
    constant: float
    best: float

    def __bool__(self) -> bool:
        """Whether the metric can tell a model from a constant; an undefined metric (nan) cannot."""
        return self.best - self.constant > ROUNDING


class Role(NamedTuple):
    """What a column is for, and the names that such columns usually have; not every task has an optional one."""

    name: str
    usual: tuple[str, ...]
    optional: bool = False


def _same(lengths: NDArray[np.integer] | None, others: NDArray[np.integer] | None) -> bool:
    return np.array_equal(lengths, others) if lengths is not None and others is not None else lengths is others


class Format(ABC):
    """The form of a task's examples and answers; it prints as its name, and equals it.

    `columns` are the least and the greatest number of columns of a task; `metrics` are those that a task may name, the
    usual one first. `roles` are those of its columns, the target last, for tasks of a user's own; none where columns
    can only be listed. With `recognised_last`, data whose format is not said is of this one only if it is of no other:
    what is its target may stand beside the label of another task.
    `aliases` are common names of such tasks, and `sample_task` is the task on which a technique's promises are checked.
    `sample_model` is the model for that. `auto_model` is the class of transformers with the head, and `torch_half` is
    `MODULE:CLASS` of the `TorchFormat`, which is imported for training.

    For techniques: `labels_texts` says that each text has one label, `labels_words` that each word has one,
    `labels_sets` that each text has a set of them, `predicts_numbers` that each has a number, `points_at_tokens`
    that targets are positions in the sequence, and `writes_text` that answers are free text, by the head of the next
    word that a model was pre-trained with. `reads_templates` says that a text may be made of several columns, and
    `reads_windows` that a long context is read in windows instead of being truncated. `corrections` are errors of
    earlier versions that may affect its runs, by their names in `harness.corrections`.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[int, int]]
    metrics: ClassVar[Mapping[str, Metric]]
    roles: ClassVar[tuple[Role, ...]] = ()
    recognised_last: ClassVar[bool] = False
    aliases: ClassVar[tuple[str, ...]] = ()
    sample_task: ClassVar[str]
    sample_model: ClassVar[str] = "tiny"
    auto_model: ClassVar[str]
    torch_half: ClassVar[str]
    labels_texts: ClassVar[bool] = False
    labels_words: ClassVar[bool] = False
    labels_sets: ClassVar[bool] = False
    predicts_numbers: ClassVar[bool] = False
    points_at_tokens: ClassVar[bool] = False
    writes_text: ClassVar[bool] = False
    reads_templates: ClassVar[bool] = False
    reads_windows: ClassVar[bool] = False
    corrections: ClassVar[frozenset[str]] = frozenset()

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Format, str)) and str(other) == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def predicts_labels(self) -> bool:
        """Whether each row of the predictions has logits of the task's labels, of which one is right.

        Otherwise it has a logit for each label of a set, or a number, or an answer in numbers, such as a start and an
        end, followed by the answer's score.
        """
        return self.labels_texts or self.labels_words

    def head_outputs(self, labels: int) -> int | None:
        """The number of outputs of the head for a number of labels; None for the model's own."""
        return labels if self.predicts_labels else None

    # ---- a task and its rows -----------------------------------------------------------------------------------------

    @abstractmethod
    def check_labels(self, labels: Sequence[str], what: str) -> None:
        """Raise `BadValue` for labels, all different, that a task of the format cannot have."""

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        """Raise `BenchError` for a metric that is unknown or does not fit the labels."""
        for metric in metrics:
            if metric not in self.metrics:
                raise UnknownName(f"metric of task {task} ({self})", metric, self.metrics)

    def check_writing(self, writing: Writing, language: str, metrics: Sequence[str], task: str) -> None:
        """Raise `BenchError` for settings of writing that do not fit the format or the metrics.

        `language` is that of the answers.
        """
        require(writing == PLAIN, f"writing of task {task} ({self})", writing, "nothing, since no text is written")

    @abstractmethod
    def parse(self, row: RowReader) -> Example | None:
        """The example of a row; raise `row.wrong(...)`, a `BadData`, for what does not fit the task.

        None for a row that the task leaves out.
        """

    def evaluated(self, examples: Sequence[Any]) -> Sequence[Example]:
        """The examples of a split as they are evaluated."""
        return examples

    def found_labels(self, rows: Sequence[RowReader]) -> tuple[str, ...]:
        """The labels that the targets of rows name, in order; none where the format has no labels or cannot tell."""
        return ()

    def may_predict(self, values: Sequence[Any]) -> bool:
        """Whether a column with a usual name and these values can be the target; `parse` refuses single wrong ones."""
        return True

    def usual_metrics(self, language: str) -> tuple[str, ...]:
        """The metrics of a task that names none; `language` is that of its answers."""
        return (next(iter(self.metrics)),)

    def read_target(self, value: Any, labels: Sequence[str]) -> Any:
        """A target as a file has it, in the form that `parse` takes; what it does not know is left as it is."""
        return value

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The classes for stratified sampling."""
        return tuple(labels) or (ONE_CLASS,)

    def mislabelled(
        self, examples: Sequence[Any], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        """The examples with a share of their labels corrupted; raise `Unsupported` where that is impossible."""
        raise Unsupported(f"labels of {self} tasks cannot be corrupted")

    def prior(self, examples: Sequence[Any], labels: Sequence[str]) -> Sequence[float] | None:
        """What the outputs of the head are to be before training, in view of the training examples; None for 0."""
        return None

    @abstractmethod
    def encoded(self, examples: Sequence[Any]) -> list[Sequence[Text]]:
        """The texts for the tokenizer: one or two columns, in the order of encoding."""

    # ---- predictions and scores --------------------------------------------------------------------------------------

    @abstractmethod
    def answers(self, examples: Sequence[Any], predictions: Predictions) -> Sequence[Any]:
        """Stored predictions as the metrics take them."""

    def in_words(self, example: Any, answer: Any, labels: Sequence[str]) -> str:
        """An answer to an example, as `answers` gives it, for a person to read."""
        return str(answer)

    def right_in_words(self, example: Any, labels: Sequence[str]) -> tuple[str, ...]:
        """The answers that are right by themselves, for a person to read."""
        return (self.in_words(example, example.reference, labels),)

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        """Predictions as whole numbers, (runs, rows), from the stored values, (runs, rows, ...)."""
        return np.asarray(values.argmax(axis=-1))

    def item_codes(self, found: Sequence[Predictions]) -> NDArray[np.integer] | None:
        """The predictions of several runs as whole numbers, (runs, items); None where they are for different items."""
        first = found[0]
        alike = all(one.values.shape == first.values.shape and _same(one.lengths, first.lengths) for one in found)
        return self.codes(np.stack([one.values for one in found])) if alike else None

    @abstractmethod
    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> float:
        """The best score of a predictor that ignores its input."""

    def best_score(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> float:
        """The score of the right answers."""
        references = [example.reference for example in examples]
        return self.metrics[metric](labels, references, references)

    def why_no_room(self, metric: str) -> str:
        """What follows a message that a metric cannot tell a model from a constant: a usual reason in the format."""
        return ""

    def room(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> Room:
        """The scores between which models can be told apart.

        Metrics of classes or tags rank every constant below the right answers where two classes or tags occur.
        """
        baseline = self.constant_score(metric, labels, examples)
        if not self.predicts_labels:
            return Room(baseline, baseline, self.best_score(metric, labels, examples))
        if len({label for example in examples for label in example.label_indices}) > 1:
            return Room(baseline, baseline, 1.0)
        best = self.best_score(metric, labels, examples)
        return Room(baseline, max(baseline, best), best)
