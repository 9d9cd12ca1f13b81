"""Sequences of words, tokenised as running text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

PROBES = (
    ("the", "film", "is", "good", ",", "isn't", "it", "?"),
    ("U.N.", "official", "Ekeus", "heads", "for", "Baghdad", "1996-12-06", "$12.50"),
    ("naïve", "Zoë", "北京", "überall", "in", "New-York", "(", "a", ")"),
    ("x", "I", "of", "antidisestablishmentarianism", "@user", "#tag", "..."),
)
"""Sentences to test whether a tokenizer reads separate words differently from running text."""


def tokenize_words(
    sentences: Sequence[Sequence[str]], tokenizer: PreTrainedTokenizerBase, max_length: int | None = None
) -> tuple[BatchEncoding, list[np.ndarray]]:
    """Tokenise words joined by spaces, with special tokens; and the word of each token, (length,), -1 for none.

    A token belongs to the word in which it begins, or to the next word if it begins with the space before it. Words are
    not passed separately, since tokenizers whose words include the space before, as RoBERTa's, would read `film` as in
    `microfilm`.
    """
    encoded = tokenizer(
        [" ".join(words) for words in sentences],
        truncation=max_length is not None,
        max_length=max_length,
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
        verbose=False,
    )
    return encoded, [_word_of(encoded, row, words) for row, words in enumerate(sentences)]


def _word_of(encoded: BatchEncoding, row: int, words: Sequence[str]) -> np.ndarray:
    ends = np.array(list(itertools.accumulate(len(word) + 1 for word in words)), dtype=int) - 1
    starts = np.array(encoded["offset_mapping"][row], dtype=int).reshape(-1, 2)[:, 0]
    found = np.searchsorted(ends, starts, side="right")
    # Special tokens have no text; the space after the last word belongs to no word.
    outside = np.array([place is None for place in encoded.sequence_ids(row)], dtype=bool) | (found == len(words))
    return np.where(outside, -1, found)


def reads_words_alike(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether separate words have the tokens of running text, with the same first token for each word."""
    encoded, places = tokenize_words(PROBES, tokenizer)
    split = tokenizer([list(words) for words in PROBES], is_split_into_words=True, verbose=False)
    return all(
        encoded["input_ids"][row] == split["input_ids"][row]
        and words.tolist() == [-1 if word is None else word for word in split.word_ids(row)]
        for row, words in enumerate(places)
    )


def shares_characters(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether several tokens may share a character, as where each byte is a token."""
    encoded = tokenizer([" ".join(words) for words in PROBES], add_special_tokens=False, return_offsets_mapping=True)
    return any(
        start < end_before
        for row in encoded["offset_mapping"]
        for (_, end_before), (start, _) in itertools.pairwise(row)
    )
