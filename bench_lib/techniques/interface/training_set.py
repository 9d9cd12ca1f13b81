"""The training set for techniques that augment it, with its vocabulary and translators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench_lib.core.errors import Unsupported
from bench_lib.tasks.formats import Example, Format

ENGLISH = "English"
Translator = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The pieces of a pre-trained model's tokenizer, by text, and its input embeddings, a row for each piece."""

    pieces: Mapping[str, int]
    embeddings: np.ndarray  # (pieces, hidden), float32


@dataclass(frozen=True, eq=False)
class Corpus:
    """The training examples of a run; the evaluation examples are for comparison only.

    `judges_wording` says that targets depend on the wording, so that a paraphrase may need another one; `language` is
    that of the texts.
    `vocabulary` and `translator`, which takes the name of a translation model, load when they are called. `report`
    notes a number in the record; an epoch stays as long as one over the first set of `kept`.
    """

    train: Sequence[Example]
    evaluation: Sequence[Example]
    format: Format
    labels: tuple[str, ...]
    generator: np.random.Generator
    judges_wording: bool = False
    language: str = ENGLISH
    vocabulary: Callable[[], Vocabulary] | None = None
    translator: Callable[[str], Translator] | None = None
    reported: dict[str, float] = field(default_factory=dict)
    kept: list[Sequence[Example]] = field(default_factory=list)

    def report(self, technique: str, quantity: str, value: float) -> None:
        """Note a number in the record."""
        self.reported[f"{technique}.{quantity}"] = float(value)

    def keep_steps(self) -> None:
        """Keep the length of an epoch as with the present `train`; an epoch then reads a new sample of the result."""
        self.kept.append(self.train)

    def check_rewording(self, technique: str) -> None:
        """Raise `Unsupported` where a paraphrase may need another label."""
        if self.judges_wording:
            what = f"labels ({', '.join(self.labels)}) judge" if self.labels else "references follow"
            raise Unsupported(f"{technique} declines this task: its {what} the wording itself")

    def check_english(self, technique: str) -> None:
        """Raise `Unsupported` for texts of another language, for techniques with rules or resources of English."""
        if self.language != ENGLISH:
            raise Unsupported(
                f"{technique} declines this task: it edits English words, and the texts are {self.language}"
            )
