"""Regression: a text, or a pair of texts, with a number."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import Unsupported, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.correlations import CORRELATIONS
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import TEXT_ROLES, TextsExample, read_texts, text_columns

PARTS = 5
"""The parts of equal size into which predictions are ranked for the agreement of runs."""


@dataclass(frozen=True)
class NumberExample(TextsExample):
    """A text, or a pair of texts, with a number."""

    text: str
    number: float
    pair: str | None = None

    @property
    def format(self) -> Format:
        return REGRESSION

    @property
    def reference(self) -> float:
        return self.number


class Regression(Format):
    """One number for a text or a pair of texts; stored predictions are that number.

    A run has collapsed where its correlation with the right numbers is 0 or less. The correlation of a constant is
    undefined and counts as 0, and so does that of predictions that are no finite numbers.
    """

    name: ClassVar[str] = "regression"
    columns: ClassVar[tuple[int, int]] = (2, 4)
    metrics: ClassVar[Mapping[str, Metric]] = CORRELATIONS
    roles: ClassVar[tuple[Role, ...]] = (
        *TEXT_ROLES,
        Role("number", ("number", "score", "rating", "similarity", "relatedness_score", "value", "label", "target")),
    )
    recognised_last: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("regression", "text-regression", "similarity", "sts", "rating")
    sample_task: ClassVar[str] = "stsb"
    auto_model: ClassVar[str] = "AutoModelForSequenceClassification"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.regression:Regression"
    reads_templates: ClassVar[bool] = True
    predicts_numbers: ClassVar[bool] = True

    def head_outputs(self, labels: int) -> int:
        return 1

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(not labels, what, tuple(labels), "none, since the answer is a number")

    def parse(self, row: RowReader) -> NumberExample:
        text, pair = read_texts(row)
        target = row.columns[-1]
        value = row.get(target)
        if not _is_number(value):
            raise row.wrong(target, value, "a finite number")
        return NumberExample(text, float(value), pair)

    def may_predict(self, values: Sequence[Any]) -> bool:
        return any(_is_number(self.read_target(value, ())) for value in values)

    def read_target(self, value: Any, labels: Sequence[str]) -> Any:
        """A number, also where the file has it as text, as CSV does."""
        if isinstance(value, str):
            with suppress(ValueError):
                return float(value)
        return value

    def mislabelled(
        self, examples: Sequence[NumberExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        """A share of the examples gets the number of another example, drawn among those with a different one."""
        if len({example.number for example in examples}) < 2:
            raise Unsupported("no number can be corrupted where all examples have the same one")
        # Drawn for all, so that the corrupted numbers of a smaller share are among those of a larger one.
        order = generator.permutation(len(examples)).tolist()
        seeds = generator.integers(2**63, size=len(examples)).tolist()
        found: list[Example] = list(examples)
        for i in order[: round(share * len(examples))]:
            found[i] = replace(examples[i], number=_another(examples, i, np.random.default_rng(seeds[i])))
        return tuple(found)

    def prior(self, examples: Sequence[NumberExample], labels: Sequence[str]) -> Sequence[float] | None:
        """The mean number: far from it, all texts pull the body the same way, until it tells none from another."""
        return [fmean(example.number for example in examples)] if examples else None

    def encoded(self, examples: Sequence[NumberExample]) -> list[Sequence[Text]]:
        return text_columns(examples)

    def answers(self, examples: Sequence[NumberExample], predictions: Predictions) -> Sequence[float]:
        numbers: list[float] = predictions.values[:, 0].tolist()
        return numbers

    def in_words(self, example: NumberExample, answer: float, labels: Sequence[str]) -> str:
        return f"{answer:.2f}"

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        """Which fifth of its run's predictions an item is in, since the metrics know ranks and no scale."""
        ranks = values[..., 0].argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable")
        return np.asarray(ranks * PARTS // ranks.shape[-1])

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[NumberExample]) -> float:
        return 0.0


def _is_number(value: Any) -> bool:
    # A bool is an int to isinstance; the comparison is exact for a whole number that no float can hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _another(examples: Sequence[NumberExample], i: int, generator: np.random.Generator) -> float:
    while (other := examples[int(generator.integers(len(examples)))].number) == examples[i].number:
        pass
    return other


REGRESSION = Regression()
