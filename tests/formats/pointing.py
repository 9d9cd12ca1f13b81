"""A task format of a test's own, the light half: which word of a sentence is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from bench_lib.core.errors import require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Text
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.word_edits import Passage, Word


@dataclass(frozen=True)
class PointExample(Example):
    """Words, and the place of the one that is meant."""

    words: tuple[str, ...]
    target: int

    @property
    def format(self) -> Format:
        return POINTING

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.words

    @property
    def reference(self) -> int:
        return self.target

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        words = (
            Word(text, protected=i == self.target, block=0 if i == self.target else None) for i, text in self._numbered
        )
        return (tuple(words),)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> PointExample:
        (words,) = changed
        return PointExample(tuple(word.text for word in words), [word.protected for word in words].index(True))

    @property
    def _numbered(self) -> Sequence[tuple[int, str]]:
        return list(enumerate(self.words))


def _hits(_labels: Sequence[str], predictions: Sequence[int], references: Sequence[int]) -> float:
    return fmean(guess == true for guess, true in zip(predictions, references, strict=True))


class Pointing(Format):
    """One word of each sentence; stored predictions are (place, score)."""

    name: ClassVar[str] = "pointing"
    columns: ClassVar[tuple[int, int]] = (2, 2)
    metrics: ClassVar[Mapping[str, Metric]] = {"hits": _hits}
    aliases: ClassVar[tuple[str, ...]] = ("pointing", "word-selection")
    sample_task: ClassVar[str] = "shouted"
    auto_model: ClassVar[str] = "AutoModelForTokenClassification"
    torch_half: ClassVar[str] = "tests.formats.pointing_torch:Pointing"
    points_at_tokens: ClassVar[bool] = True

    def head_outputs(self, labels: int) -> int:
        return 1

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(not labels, what, tuple(labels), "none, since a word is the answer")

    def parse(self, row: RowReader) -> PointExample:
        words, target = row.items(row.columns[0]), row.get(row.columns[1])
        if not isinstance(target, int) or not 0 <= target < len(words):
            raise row.wrong(row.columns[1], target, f"the place of a word, 0 to {len(words) - 1}")
        return PointExample(tuple(words), target)

    def encoded(self, examples: Sequence[PointExample]) -> list[Sequence[Text]]:
        return [[example.words for example in examples]]

    def answers(self, examples: Sequence[PointExample], predictions: Predictions) -> Sequence[int]:
        places: list[int] = predictions.values[:, 0].astype(int).tolist()
        return places

    def codes(self, values: np.ndarray) -> np.ndarray[Any, Any]:
        return values[..., 0].astype(np.int64)

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[PointExample]) -> float:
        return max(Counter(example.target for example in examples).values()) / len(examples)


POINTING = Pointing()
