"""Synonyms, from WordNet or from a model's input embeddings, and their substitution in texts."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench_lib.core.errors import Unsupported, require
from bench_lib.core.extras import optional
from bench_lib.tasks.formats.word_edits import Passage, with_words
from bench_lib.techniques.interface.training_set import Corpus, Vocabulary

SOURCES = ("embeddings", "wordnet")
NEIGHBOURS = 5
"""Number of neighbours that a synonym is drawn from, our choice."""
CHUNK = 256
"""Words per table of cosines, so that it stays small."""
WORD_STARTS = ("\u0120", "\u2581")
"""Marks of the first piece of a word in tokenizers other than BERT's."""

_FUNCTION = """
    a about above after again against all also am an and any are aren as at be because been before being below between
    both but by can cannot could did didn do does doesn doing don down during each either few for from further had has
    have having he her here hers herself him himself his how i if in into is isn it its itself just let ll may me
    might more most must my myself neither no nor not now of off on once one only or other our ours ourselves out over
    own re s same shall she should so some such t than that the their theirs them themselves then there these they
    this those through to too under until up upon us ve very was wasn we were what when where whether which while who
    whom whose why will with without won would you your yours yourself yourselves
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words without useful synonyms, our own list."""
CORE = re.compile(r"^(\W*)(\w+(?:['\u2019-]\w+)*)(\W*)$")

Thesaurus = Callable[[str], tuple[str, ...]]
"""The synonyms of a word, which may have punctuation around it; none for function words."""


def thesaurus(source: str, corpus: Corpus, owner: str) -> Thesaurus:
    """Synonyms from a source for all words of the training examples; the record notes the source.

    Missing WordNet data raises `Unsupported`, missing NLTK `Unavailable`: another source would be another experiment.
    """
    known = _wordnet() if source == "wordnet" else neighbours(_vocabulary(corpus), _words(corpus))
    corpus.report(owner, "wordnet", source == "wordnet")
    return lambda word: _like(word, known)


def check_source(source: str, field: str) -> None:
    """Raise `BadValue` for an unknown synonym source."""
    require(source in SOURCES, field, source, f"{' or '.join(SOURCES)}; it decides the data, so that none is automatic")


def with_synonyms(words: Passage, share: float, synonyms: Thesaurus, generator: np.random.Generator) -> Passage:
    """The words with a share of them, at least one, replaced by synonyms where they have any.

    Names stay, since the neighbour of a person's name may be a place's.
    """
    found = {i: options for i, word in enumerate(words) if word.movable and (options := synonyms(word.text))}
    chosen = generator.permutation(list(found))[: count(words, share)].tolist()
    return with_words(words, {i: found[i][int(generator.integers(len(found[i])))] for i in chosen})


def count(words: Passage, share: float) -> int:
    """The number of words in a share, at least one."""
    return max(1, int(share * sum(bool(word.text) for word in words)))


def core(word: str) -> str:
    """A word without the punctuation around it; empty for a text that is no word."""
    found = CORE.match(word)
    return found.group(2) if found else ""


def _like(word: str, known: Callable[[str], Sequence[str]] | Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    found = CORE.match(word)
    if not found or found.group(2).lower() in FUNCTION_WORDS:
        return ()
    before, middle, after = found.groups()
    options = known(middle) if callable(known) else known.get(middle, ())
    return tuple(f"{before}{_cased(option, middle)}{after}" for option in options)


def _cased(option: str, model: str) -> str:
    """The option in the casing of the word that it replaces."""
    if model.isupper() and len(model) > 1:
        return option.upper()
    return option[:1].upper() + option[1:] if model[:1].isupper() else option


def _words(corpus: Corpus) -> list[str]:
    """The distinct words of the training examples that may have synonyms."""
    texts = (text for example in corpus.train for text in example.passages(corpus.labels))
    found = {core(word.text) for words in texts for word in words if word.movable}
    return sorted(word for word in found if word and word.lower() not in FUNCTION_WORDS)


def _vocabulary(corpus: Corpus) -> Vocabulary:
    if corpus.vocabulary is None:
        raise Unsupported("synonyms come from the model's input embeddings, and there is no model to ask")
    return corpus.vocabulary()


# ---- neighbours ------------------------------------------------------------------------------------------------------


def neighbours(vocabulary: Vocabulary, words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The nearest whole words of the vocabulary, by cosine and of the same casing, for each word in it.

    A word that the vocabulary has in lower case only is looked up in lower case.
    """
    pieces = whole_words(vocabulary.pieces)
    names = sorted(pieces)
    place = {name: i for i, name in enumerate(names)}
    units = vocabulary.embeddings[[pieces[name] for name in names]].astype(np.float32)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    casing = np.array([_casing(name) for name in names])
    forms = {word: word if word in place else word.lower() for word in words}
    asked = {word: place[form] for word, form in forms.items() if form in place}
    rows = np.unique(list(asked.values())).astype(int)
    nearest: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        cosines = units[chunk] @ units.T
        cosines[casing[chunk][:, None] != casing] = -np.inf
        cosines[np.arange(len(chunk)), chunk] = -np.inf
        nearest |= dict(zip(chunk.tolist(), _best(cosines, names), strict=True))
    return {word: nearest[row] for word, row in asked.items()}


def whole_words(pieces: Mapping[str, int]) -> dict[str, int]:
    """The pieces that are whole words, by text: letters only, no special pieces and no parts of words."""
    marks = [mark for mark in WORD_STARTS if sum(piece.startswith(mark) for piece in pieces) > len(pieces) // 10]
    if not marks:
        return {piece: i for piece, i in pieces.items() if piece.isalpha() and len(piece) > 1}
    begun = ((piece[1:], i) for piece, i in pieces.items() if piece.startswith(marks[0]))
    # Where the letters of pieces stand for bytes, those beyond ASCII are parts of letters, or no letters at all.
    letters = str.isascii if marks[0] == WORD_STARTS[0] else str.isalpha
    return {piece: i for piece, i in begun if piece.isalpha() and letters(piece) and len(piece) > 1}


def _best(cosines: np.ndarray, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names of the highest columns of each row, highest first; of equals the first."""
    few = min(NEIGHBOURS, cosines.shape[1])
    top = np.sort(np.argpartition(-cosines, few - 1, axis=1)[:, :few], axis=1)
    values = np.take_along_axis(cosines, top, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return [
        tuple(names[column] for column, value in zip(top[row, o], values[row, o], strict=True) if np.isfinite(value))
        for row, o in enumerate(order)
    ]


def _casing(word: str) -> int:
    return 0 if word.islower() else 1 if word.istitle() else 2 if word.isupper() else 3


# ---- WordNet ---------------------------------------------------------------------------------------------------------


def _wordnet() -> Callable[[str], tuple[str, ...]]:
    """All lemmas of all senses that are one word, as Wei & Zou 2019 take them."""
    with optional("nltk", "thesaurus=embeddings needs none"):
        wordnet: Any = importlib.import_module("nltk.corpus").wordnet
    try:
        wordnet.ensure_loaded()
    except (LookupError, OSError) as error:
        raise Unsupported(
            f"synonyms from WordNet need its data ({type(error).__name__}): python -m nltk.downloader wordnet; "
            "thesaurus=embeddings needs none"
        ) from error
    known: dict[str, tuple[str, ...]] = {}

    def look_up(word: str) -> tuple[str, ...]:
        if word not in known:
            names = {str(lemma.name()) for sense in wordnet.synsets(word) for lemma in sense.lemmas()}
            words = {name.lower() for name in names if name.isalpha()}
            known[word] = tuple(sorted(words - {word.lower()}))
        return known[word]

    return look_up
