"""Reviews of films in pairs: an original and the same with a few words changed so that its label is the other one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.tasks.formats.base import Format
from bench_lib.tasks.further import FurtherSet, Item, ParsedRows

ORIGINAL = "test_original"


class _Pairs(FurtherSet):
    """Row k of both parts is one pair; the originals stand in the training data of IMDb."""

    tasks: ClassVar[tuple[str, ...]] = ("imdb", "sst2")
    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    leaks: ClassVar[tuple[str, ...]] = (ORIGINAL,)

    def items(self, part: str, rows: ParsedRows) -> Iterator[Item]:
        for number, (_, example) in enumerate(rows):
            yield Item("", str(number), part == ORIGINAL, example.reference, example)

    def scores(
        self, task_format: Format, items: Sequence[Item], answers: Sequence[Any], values: NDArray[np.floating]
    ) -> Mapping[str, float]:
        """`accuracy` on the changed texts, `original_accuracy`, and `consistency`: the share of pairs all right."""
        right = [answer == item.expected for item, answer in zip(items, answers, strict=True)]
        pairs: dict[str, list[bool]] = {}
        for item, one in zip(items, right, strict=True):
            pairs.setdefault(item.group, []).append(one)
        return {
            "accuracy": fmean(one for item, one in zip(items, right, strict=True) if not item.original),
            "original_accuracy": fmean(one for item, one in zip(items, right, strict=True) if item.original),
            "consistency": fmean(map(all, pairs.values())),
        }


class ImdbContrast(_Pairs):
    """The contrast sets of IMDb, by their experts."""

    name: ClassVar[str] = "imdb_contrast"
    description: ClassVar[str] = "488 reviews of IMDb, each with a version that experts changed so that its label flips"
    files: ClassVar[tuple[str, ...]] = (ORIGINAL, "test_contrast")
    licence: ClassVar[str] = "not stated"
    citation: ClassVar[str] = (
        "@inproceedings{gardner2020evaluating, author={Gardner, Matt and others}, title={Evaluating Models' Local"
        " Decision Boundaries via Contrast Sets}, booktitle={Findings of EMNLP}, pages={1307--1323}, year={2020}}"
    )


class ImdbCad(_Pairs):
    """Counterfactually augmented reviews of IMDb."""

    name: ClassVar[str] = "imdb_cad"
    description: ClassVar[str] = (
        "488 reviews of IMDb, each with a version that crowd workers revised so that its label flips"
    )
    files: ClassVar[tuple[str, ...]] = (ORIGINAL, "test_revised")
    licence: ClassVar[str] = "Apache-2.0"
    citation: ClassVar[str] = (
        "@inproceedings{kaushik2020learning, author={Kaushik, Divyansh and Hovy, Eduard and Lipton, Zachary},"
        " title={Learning the Difference that Makes a Difference with Counterfactually-Augmented Data},"
        " booktitle={ICLR}, year={2020}}"
    )
