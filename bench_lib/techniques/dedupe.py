"""Removal of duplicates and leaks from the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique

E = TypeVar("E")


@dataclass(frozen=True)
class Dedupe(Technique):
    """Training examples that repeat an earlier one, or that stand in the evaluation set, are dropped.

    train <- unique(train) minus evaluation

    Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better", in the exact form: whole examples,
    label included, are compared.
    """

    name: ClassVar[str] = "dedupe"
    family: ClassVar[str] = "data"
    paper: ClassVar[str] = "Lee et al. 2022, arXiv:2107.06499"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"repeats": False, "leaks": False}

    repeats: bool = True
    leaks: bool = True

    def augment(self, train: Sequence[E], evaluation: Sequence[E], generator: np.random.Generator) -> Sequence[E]:
        kept = list(dict.fromkeys(train)) if self.repeats else list(train)
        held_out = set(evaluation) if self.leaks else set()
        return [example for example in kept if example not in held_out]
