"""Adversarial SQuAD: contexts with a sentence that looks like an answer and is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.tasks.formats.base import Format
from bench_lib.tasks.further import FurtherSet, Item, ParsedRows

METRICS = ("f1", "em")


class SquadAdversarial(FurtherSet):
    """AddSent, with up to five variants of each question, and AddOneSent, with one that does not depend on a model."""

    name: ClassVar[str] = "squad_adversarial"
    description: ClassVar[str] = "1,000 questions of SQuAD, on contexts to which a distracting sentence was added"
    tasks: ClassVar[tuple[str, ...]] = ("squad",)
    files: ClassVar[tuple[str, ...]] = ("addsent", "addonesent")
    columns: ClassVar[tuple[str, ...]] = ("id", "context", "question", "answers")
    licence: ClassVar[str] = "MIT; texts of SQuAD CC BY-SA 4.0"
    citation: ClassVar[str] = (
        "@inproceedings{jia2017adversarial, author={Jia, Robin and Liang, Percy}, title={Adversarial Examples for"
        " Evaluating Reading Comprehension Systems}, booktitle={EMNLP}, pages={2021--2031}, year={2017}}"
    )

    def items(self, part: str, rows: ParsedRows) -> Iterator[Item]:
        for row, example in rows:
            name = str(row["id"])
            question = name.partition("-")[0]  # variants are named `ID-high-conf-turkN`
            yield Item(part, question, name == question, example.reference, example)

    def scores(
        self, task_format: Format, items: Sequence[Item], answers: Sequence[Any], values: NDArray[np.floating]
    ) -> Mapping[str, float]:
        """F1 and exact match of each question's worst variant, or of the original without any, and of the originals."""
        found: dict[str, float] = {}
        for metric in METRICS:
            one = task_format.metrics[metric]
            each = [one((), [guess], [item.expected]) for item, guess in zip(items, answers, strict=True)]
            for part in self.files:
                scored = [(item, score) for item, score in zip(items, each, strict=True) if item.stratum == part]
                found[f"{part}_{metric}"] = fmean(_worst(scored).values())
                found[f"{part}_original_{metric}"] = fmean(score for item, score in scored if item.original)
        return found


def _worst(scored: Sequence[tuple[Item, float]]) -> dict[str, float]:
    worst = {item.group: score for item, score in scored if item.original}
    changed: dict[str, float] = {}
    for item, score in scored:
        if not item.original:
            changed[item.group] = min(score, changed.get(item.group, score))
    return {**worst, **changed}
