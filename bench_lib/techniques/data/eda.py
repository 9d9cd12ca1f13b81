"""EDA: copies of the training texts with words replaced, inserted, swapped or deleted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.word_edits import (
    Passage,
    differ,
    exchanged,
    gaps,
    with_word,
    without,
)
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.training_set import Corpus
from bench_lib.techniques.toolkit.thesaurus import Thesaurus, check_source, core, count, thesaurus, with_synonyms

Operation = Callable[[Passage, float, Thesaurus, np.random.Generator], Passage]
TRIES = 10
"""Words tried for a synonym to insert, as in the authors' code."""
BY_SIZE = ((500, 0.05, 16), (2_000, 0.05, 8), (math.inf, 0.1, 4))
"""Alpha and copies by the largest size of the training set."""


@dataclass(frozen=True)
class EDA(
    Technique,
    name="eda",
    family="data",
    paper="Wei & Zou 2019, arXiv:1901.11196",
    identity={"alpha": 0.0},
    version="3",  # goes by the size of the training set and keeps the steps; 2 had 0.1, 4 and all steps
    space={
        "alpha": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5),  # section 4.4 of the paper
        "copies": (1, 2, 4, 8, 16, 32),  # section 4.5 of the paper
    },
    trimmable=True,
):
    """Copies of each training example join the training set, changed by one operation: replace, insert, swap or delete.

    n = max(1, floor(alpha * words)) synonyms in place of words, or put in anywhere, or exchanges of two words; or each
    word is left out with probability alpha;  the operations of an example's copies ~ shuffled, equally many of each

    Wei & Zou 2019, "EDA: Easy Data Augmentation Techniques". None takes alpha and copies by the size of the training
    set: 0.05 and 16 up to 500 examples, 0.05 and 8 up to 2,000, 0.1 and 4 above. Source: table 3 of the paper; the rest
    is jasonwei20/eda_nlp:code/eda.py, whose own defaults are 0.1 and 9. Theirs cleans the text to lower-case letters,
    which here stays as it is; replaces every occurrence of a word, here one; and puts in the first synonym of WordNet's
    (`thesaurus=wordnet`), here any. Synonyms of the model's embeddings are our default, since they are there on every
    machine. 16 copies are also 17 times the steps, and longer training alone makes runs more stable: with `same_steps`,
    our default, an epoch reads as many examples as without the copies, others each time, so that a comparison sees the
    copies alone; False is the published training. Words of answers stay and nothing is put between them. A word put
    into an entity belongs to it, an entity that loses its first word begins with the next, and none of its words is
    replaced, exchanged or asked for a synonym. Both texts of a pair are changed, a question and its context too.
    """

    alpha: float | None = bounded(None, "[0, 1] or None", "0 to 1, or None to go by the size of the training set")
    copies: int | None = bounded(None, "[0, inf] or None", "0 or more, or None to go by the size of the training set")
    thesaurus: str = "embeddings"
    same_steps: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_source(self.thesaurus, "eda:thesaurus")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        alpha, copies = self._strength(len(corpus.train))
        if not (alpha and copies):
            return corpus.train
        corpus.check_english(self.name)
        corpus.check_rewording(self.name)
        if self.same_steps:
            corpus.keep_steps()
        synonyms, made = thesaurus(self.thesaurus, corpus, self.name), list[Example]()
        for example in corpus.train:
            texts = example.passages(corpus.labels)
            for operation in _operations(copies, corpus.generator):
                new = [operation(words, alpha, synonyms, corpus.generator) for words in texts]
                if differ(texts, new):
                    made.append(example.rewritten(new, corpus.labels))
        for quantity, value in (("alpha", alpha), ("copies_asked", copies * len(corpus.train)), ("copies", len(made))):
            corpus.report(self.name, quantity, value)
        return [*corpus.train, *made]

    def _strength(self, examples: int) -> tuple[float, int]:
        """Alpha and copies, as set or by the size of the training set."""
        alpha, copies = next((alpha, copies) for most, alpha, copies in BY_SIZE if examples <= most)
        return alpha if self.alpha is None else self.alpha, copies if self.copies is None else self.copies


def _operations(copies: int, generator: np.random.Generator) -> list[Operation]:
    """The operations that make an example's copies, drawn from equally many of each, and one more."""
    pool = OPERATIONS * (copies // len(OPERATIONS) + 1)
    return [pool[i] for i in generator.permutation(len(pool))[:copies]]


def inserted(words: Passage, alpha: float, synonyms: Thesaurus, generator: np.random.Generator) -> Passage:
    """Insert synonyms of words outside entities at random places, as often as alpha says.

    Not of entities, since synonyms of names are names without a tag.
    """
    new = words
    for _ in range(count(words, alpha)):
        asked = [word.text for word in new if word.entity is None]
        tried = (asked[int(generator.integers(len(asked)))] for _ in range(TRIES if asked else 0))
        options = next((found for word in tried if (found := synonyms(core(word)))), ())
        if options:
            places = gaps(new)
            place = places[int(generator.integers(len(places)))]
            new = with_word(new, place, options[int(generator.integers(len(options)))])
    return new


def swapped(words: Passage, alpha: float, _synonyms: Thesaurus, generator: np.random.Generator) -> Passage:
    """Swap two words outside entities and answers, as often as alpha says."""
    new, movable = words, [i for i, word in enumerate(words) if word.movable]
    for _ in range(count(words, alpha) if len(movable) > 1 else 0):
        i, j = generator.choice(movable, 2, replace=False).tolist()
        new = exchanged(new, i, j)
    return new


def deleted(words: Passage, alpha: float, _synonyms: Thesaurus, generator: np.random.Generator) -> Passage:
    """Delete each word with probability alpha; a text keeps at least one."""
    gone = {i for i, chance in enumerate(generator.random(len(words))) if chance < alpha and words[i].editable}
    left = [i for i, word in enumerate(words) if word.text and i not in gone]
    if gone and not left:
        gone.discard(sorted(gone)[int(generator.integers(len(gone)))])
    return without(words, gone)


OPERATIONS: tuple[Operation, ...] = (with_synonyms, inserted, swapped, deleted)
