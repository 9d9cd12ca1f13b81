"""CheckList for sentiment: tests of what a model can do, each with its failure rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from bench_lib.tasks.formats.base import Format
from bench_lib.tasks.formats.rows import Row
from bench_lib.tasks.further import FurtherSet, Item, ParsedRows

NEGATIVE, NEUTRAL, POSITIVE = range(3)
BAND = (1 / 3, 2 / 3)
"""The probabilities of a positive text between which a model of two classes is taken to call it neutral."""
MINIMUM, INVARIANCE = "MFT", "INV"
"""Types of tests: with a right answer, and with answers that must not change within a case."""


class ChecklistSentiment(FurtherSet):
    """The released suite, without its directional tests, which compare confidences by rules that are not in its files.

    A case fails if the answer to any of its texts is wrong, or in a test of invariance another than to the first.
    """

    name: ClassVar[str] = "checklist_sentiment"
    description: ClassVar[str] = "tests of vocabulary, negation, names, typos and the like; the failure rate of each"
    tasks: ClassVar[tuple[str, ...]] = ("sst2", "imdb")
    files: ClassVar[tuple[str, ...]] = ("test",)
    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    licence: ClassVar[str] = "MIT"
    citation: ClassVar[str] = (
        "@inproceedings{ribeiro2020beyond, author={Ribeiro, Marco Tulio and Wu, Tongshuang and Guestrin, Carlos and"
        " Singh, Sameer}, title={Beyond Accuracy: Behavioral Testing of {NLP} Models with {CheckList}},"
        " booktitle={ACL}, pages={4902--4912}, year={2020}}"
    )

    def rows(self, part: str, rows: Sequence[Row]) -> list[Row]:
        """Tests with a right answer that is one label, and those of invariance; the task reads no label of them."""
        judged = [
            row for row in rows if row["type"] == INVARIANCE or (row["type"] == MINIMUM and row["label"] is not None)
        ]
        return [{**row, "label": 0, "expected": row["label"]} for row in judged]

    def items(self, part: str, rows: ParsedRows) -> Iterator[Item]:
        for row, example in rows:
            invariant = row["type"] == INVARIANCE
            expected = None if invariant else row["expected"]
            yield Item(row["test"], str(row["case"]), invariant and row["variant"] == 0, expected, example)

    def scores(
        self, task_format: Format, items: Sequence[Item], answers: Sequence[Any], values: NDArray[np.floating]
    ) -> Mapping[str, float]:
        """The failure rate of each test, and their mean."""
        positive = softmax(values.astype(np.float64), axis=-1)[:, 1]
        called = np.select([positive < BAND[0], positive > BAND[1]], [NEGATIVE, POSITIVE], NEUTRAL).tolist()
        cases: dict[tuple[str, str], list[tuple[Item, int]]] = {}
        for item, label in zip(items, called, strict=True):
            cases.setdefault((item.stratum, item.group), []).append((item, label))
        tests: dict[str, list[bool]] = {}
        for (test, _), case in cases.items():
            tests.setdefault(test, []).append(_fails(case))
        rates = {f"failure_rate: {test}": fmean(failed) for test, failed in tests.items()}
        return {"failure_rate": fmean(rates.values()), **rates}


def _fails(case: Sequence[tuple[Item, int]]) -> bool:
    first = next((label for item, label in case if item.original), None)
    return any(label != (first if item.expected is None else item.expected) for item, label in case)
