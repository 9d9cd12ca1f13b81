"""Removal of duplicates and leaks from the training set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.tasks.formats import Example
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.training_set import Corpus


@dataclass(frozen=True)
class Dedupe(
    Technique,
    name="dedupe",
    family="data",
    paper="Lee et al. 2022, arXiv:2107.06499",
    identity={"repeats": False, "leaks": False},
    version="2",  # a leak has the same text, where version 1 required the same label too
    trimmable=True,
):
    """Training examples that repeat an earlier one, or whose text is in the evaluation set, are dropped.

    train <- {(x, y) in unique(train) : x not in the texts of evaluation}

    Lee et al. 2022, "Deduplicating Training Data Makes Language Models Better"; theirs drops repeated spans of 50
    tokens and near-duplicates (google-research/deduplicate-text-datasets:README.md), ours whole examples that are the
    same. A repeat has the same label too; what leaks is the text, whatever the answer that stands beside it.
    """

    repeats: bool = True
    leaks: bool = True

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        once = _firsts(corpus.train) if self.repeats else list(corpus.train)
        held_out = {example.inputs for example in corpus.evaluation} if self.leaks else set[tuple[str, ...]]()
        kept = [example for example in once if example.inputs not in held_out]
        if self.repeats:
            corpus.report(self.name, "repeats", len(corpus.train) - len(once))
        if self.leaks:
            corpus.report(self.name, "leaks", len(once) - len(kept))
        return kept


def _firsts(examples: Sequence[Example]) -> list[Example]:
    """The examples without later copies."""
    seen: dict[Example, Example] = {}
    for example in examples:
        seen.setdefault(example.content, example)
    return list(seen.values())
