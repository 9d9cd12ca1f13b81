"""Synonym replacement: copies of the training texts with synonyms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.word_edits import differ
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.training_set import Corpus
from bench_lib.techniques.toolkit.thesaurus import check_source, thesaurus, with_synonyms


@dataclass(frozen=True)
class Synonym(
    Technique,
    name="synonym",
    family="data",
    paper="Zhang et al. 2015, arXiv:1509.01626; Wei & Zou 2019, arXiv:1901.11196",
    identity={"share": 0.0},
    version="2",  # draws from a stream under its name, where version 1 had that of its place
    space={"share": (0.05, 0.1, 0.2)},  # our choice
    trimmable=True,
):
    """Copies of each training example, with a share of the words replaced by synonyms, join the training set.

    train <- train + {x' : x_i' ~ U(synonyms(x_i)) for max(1, floor(share * words)) words i of each text of x}

    The share of 10 % and the count are synonym replacement of Wei & Zou 2019, "EDA". Source:
    jasonwei20/eda_nlp:code/eda.py. One copy, which makes an epoch twice as long, is our choice, and so are the five
    nearest whole words (cosine, same casing) of the model's own input embeddings, among which there may be opposites as
    well. `thesaurus=wordnet` is theirs, and needs NLTK with its data. Words of entities and answers stay, function
    words too, and so does an example without a word to replace, which gets no copy.
    """

    share: float = bounded(0.1, "[0, 1]")
    copies: int = bounded(1, "[0, inf]")
    thesaurus: str = "embeddings"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_source(self.thesaurus, "synonym:thesaurus")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        if not (self.share and self.copies):
            return corpus.train
        corpus.check_english(self.name)
        corpus.check_rewording(self.name)
        synonyms, made = thesaurus(self.thesaurus, corpus, self.name), list[Example]()
        for example in corpus.train:
            texts = example.passages(corpus.labels)
            for _ in range(self.copies):
                new = [with_synonyms(words, self.share, synonyms, corpus.generator) for words in texts]
                if differ(texts, new):
                    made.append(example.rewritten(new, corpus.labels))
        corpus.report(self.name, "copies", len(made))
        return [*corpus.train, *made]
