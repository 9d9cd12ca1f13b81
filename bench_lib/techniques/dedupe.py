"""Removal of duplicates and leaks from the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.examples import Example
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.corpus import Corpus


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

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        once = list(dict.fromkeys(corpus.train)) if self.repeats else list(corpus.train)
        held_out = set(corpus.evaluation) if self.leaks else set()
        kept = [example for example in once if example not in held_out]
        if self.repeats:
            corpus.report(self.name, "repeats", len(corpus.train) - len(once))
        if self.leaks:
            corpus.report(self.name, "leaks", len(once) - len(kept))
        return kept
