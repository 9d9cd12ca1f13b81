"""What a task format answers for: how rows are read, scored, edited and spoilt; its torch half says how it trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import UnknownName, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.word_edits import Passage

Metric = Callable[[Sequence[str], Sequence[Any], Sequence[Any]], float]
"""A score of predictions against references, given the task's labels."""

Text = str | tuple[str, ...]
"""Running text, or its words."""

ONE_CLASS = "answers"
"""The one class of a task without labels."""
ROUNDING = 1e-9
"""Scores that are nearer to each other are equal but for the order in which they were added up."""


class Example(ABC):
    """A plain example, a frozen dataclass: what sources hand over and techniques may augment."""

    @property
    @abstractmethod
    def format(self) -> Format:
        """The format that it is of."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """What a model reads of it."""

    @property
    @abstractmethod
    def reference(self) -> Any:
        """What the predictions for it are held against, as the format's metrics take it."""

    @property
    def accepted(self) -> frozenset[Any]:
        """The answers of which each is right by itself."""
        return frozenset([self.reference])

    @property
    def label_indices(self) -> Sequence[int]:
        """The labels that it bears, as indices into the task's; empty for a format without labels."""
        return ()

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        """Which of the format's `class_names` it holds."""
        return frozenset(self.format.class_names(labels))

    @property
    def content(self) -> Example:
        """The example without what only names it, so that equal contents are repeats of each other."""
        return self

    @abstractmethod
    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        """Its texts as words; those that the target stands in are held, or bear its entity.

        `labels` are the task's.
        """

    @abstractmethod
    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> Example:
        """The example with its passages as they became, and its target where it then belongs."""

    @property
    def rewordable(self) -> tuple[str, ...]:
        """The texts that may be said in other words as a whole, since no target stands in them."""
        return ()

    def reworded(self, said: Mapping[str, str]) -> Example:
        """The example with its `rewordable` texts as a mapping says them."""
        return self

    def answered(self, best: Sequence[int]) -> Example:
        """The example with predicted labels, one a row; raises `Unsupported` for a format without labels."""
        raise Unsupported(f"{self.format} examples bear no labels")


@dataclass(frozen=True)
class Room:
    """What an evaluation set leaves between constants and a perfect model, in its primary metric.

    Runs are compared with `constant_baseline`; `constant` is the best score of any constant, also of one tag for all
    words; `best` is the score of the right answers.
    """

    constant_baseline: float
    constant: float
    best: float

    def __bool__(self) -> bool:
        """Whether a model can be told from a constant; a metric without a value tells nothing."""
        return self.best - self.constant > ROUNDING


class Format(ABC):
    """The shape of a task's examples and answers; it prints as its name, and equals it.

    `columns` are how many a task names, at least and at most; `metrics` are those that it may name. `aliases` are what
    such tasks are commonly called, and `sample_task` is the one on which a technique's promises are tried. `auto_model`
    is the class of transformers that brings the head, and `torch_half` is `MODULE:CLASS` of the `TorchFormat` that
    trains it, imported when something is trained.

    What techniques ask: `labels_texts` says that a whole text is given one of the task's labels, `labels_words` that
    each word is, and `points_at_tokens` that the targets are places in the sequence. `reads_windows` says that a
    question is read with one part after the other of a long context, so that nothing is cut off. `corrections` are
    mistakes of earlier versions that its runs may have had, as `harness.corrections` names them.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[int, int]]
    metrics: ClassVar[Mapping[str, Metric]]
    aliases: ClassVar[tuple[str, ...]] = ()
    sample_task: ClassVar[str]
    auto_model: ClassVar[str]
    torch_half: ClassVar[str]
    labels_texts: ClassVar[bool] = False
    labels_words: ClassVar[bool] = False
    points_at_tokens: ClassVar[bool] = False
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
        """Whether each row of the predictions holds logits of the task's labels.

        Otherwise it holds an answer in numbers, such as a start and an end, and last the answer's score.
        """
        return self.labels_texts or self.labels_words

    def head_outputs(self, labels: int) -> int | None:
        """How many outputs the head has for so many labels; None for as many as the model's own."""
        return labels if self.predicts_labels else None

    # ---- a task and its rows -----------------------------------------------------------------------------------------

    @abstractmethod
    def check_labels(self, labels: Sequence[str], what: str) -> None:
        """Raise `BadValue` for labels that a task of the format cannot have; each stands there once."""

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        """Raise `BenchError` for a metric that there is not, or that does not fit the labels."""
        for metric in metrics:
            if metric not in self.metrics:
                raise UnknownName(f"metric of task {task} ({self})", metric, self.metrics)

    @abstractmethod
    def parse(self, row: RowReader) -> Example:
        """The example of a row; what is not as the task says raises `BadData` by `row.wrong`."""

    def class_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The classes of which so many examples each may be drawn."""
        return tuple(labels) or (ONE_CLASS,)

    def mislabelled(
        self, examples: Sequence[Any], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        """The examples with a share of their labels made wrong; what cannot be raises `Unsupported`."""
        raise Unsupported(f"labels of {self} tasks cannot be made wrong")

    @abstractmethod
    def encoded(self, examples: Sequence[Any]) -> list[Sequence[Text]]:
        """The texts that the tokenizer is given, of one or two columns in the order in which they are encoded."""

    # ---- predictions and scores --------------------------------------------------------------------------------------

    @abstractmethod
    def answers(self, examples: Sequence[Any], predictions: Predictions) -> Sequence[Any]:
        """Stored predictions as the metrics take them."""

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        """What runs predict as whole numbers, (runs, rows), from the values that they store, (runs, rows, ...)."""
        return np.asarray(values.argmax(axis=-1))

    @abstractmethod
    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> float:
        """The best score of a predictor that ignores its input."""

    def best_score(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> float:
        """The score of the right answers."""
        references = [example.reference for example in examples]
        return self.metrics[metric](labels, references, references)

    def room(self, metric: str, labels: Sequence[str], examples: Sequence[Any]) -> Room:
        """The scores between which models are told apart.

        By any metric of classes or tags the constant falls short as soon as there are two of them.
        """
        baseline = self.constant_score(metric, labels, examples)
        if not self.predicts_labels:
            return Room(baseline, baseline, self.best_score(metric, labels, examples))
        if len({label for example in examples for label in example.label_indices}) > 1:
            return Room(baseline, baseline, 1.0)
        best = self.best_score(metric, labels, examples)
        return Room(baseline, max(baseline, best), best)
