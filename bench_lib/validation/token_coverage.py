"""Tokenisation coverage of a split: known words, unknown tokens, and truncation at a profile's length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from bench_lib.core.spec import Profile
from bench_lib.models.words import tokenize_words
from bench_lib.tasks.formats import Example, Format
from bench_lib.tasks.formats.base import Text

BATCH = 1000
UNBOUNDED = 10**9
"""Maximum input lengths from this value on mean that the tokenizer has none."""


@dataclass(frozen=True)
class TokenCoverage:
    """How a tokenizer covers the words of a split, and how much of it fits into a profile's length.

    `whole` is the share of words that are one known token, `unknown` the share of unknown tokens. `median` and
    `longest` are lengths in tokens, special tokens included; `too_long` counts examples above `model_length`, which is
    None where the tokenizer states none. `cut` is the share of examples above the profile's length, which are truncated
    or read in windows; `lost` is the share of truncated tokens. `too_long_questions` leave no room for a context: such
    a run is refused.
    """

    max_length: int
    model_length: int | None
    words: int
    whole: float
    unknown: float
    median: float
    longest: int
    too_long: int
    cut: float
    lost: float
    too_long_questions: int


@dataclass(frozen=True, eq=False)
class _Measured:
    """For each text: its tokens, words, words that are one known token, and unknown tokens."""

    tokens: np.ndarray  # (texts,), as all of these
    words: np.ndarray
    whole: np.ndarray
    unknown: np.ndarray


def token_coverage(
    task_format: Format, examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, profile: Profile
) -> TokenCoverage:
    """Tokenise the examples without truncation, and compare their lengths with the profile's."""
    parts = [_measure(column, tokenizer) for column in task_format.encoded(examples)]
    added = tokenizer.num_special_tokens_to_add(pair=len(parts) == 2)
    content = np.sum([part.tokens for part in parts], axis=0)
    lengths = content + added
    words = int(sum(part.words.sum() for part in parts))
    over = np.maximum(lengths - profile.max_length, 0)
    room = profile.max_length - added - parts[0].tokens
    limit = int(tokenizer.model_max_length) if tokenizer.model_max_length < UNBOUNDED else None
    return TokenCoverage(
        max_length=profile.max_length,
        model_length=limit,
        words=words,
        whole=_share(sum(part.whole.sum() for part in parts), words),
        unknown=_share(sum(part.unknown.sum() for part in parts), content.sum()),
        median=float(np.median(lengths)),
        longest=int(lengths.max()),
        too_long=0 if limit is None else int((lengths > limit).sum()),
        cut=float((over > 0).mean()),
        lost=0.0 if task_format.reads_windows else _share(over.sum(), content.sum()),
        too_long_questions=int((room <= profile.stride).sum()) if task_format.reads_windows else 0,
    )


def _measure(texts: Sequence[Text], tokenizer: PreTrainedTokenizerBase) -> _Measured:
    """Measure each distinct text once: contexts have several questions."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    found = np.array(list(_measured(list(places), tokenizer)), dtype=np.int64)
    return _Measured(*found[[places[text] for text in texts]].T)


def _measured(texts: Sequence[Text], tokenizer: PreTrainedTokenizerBase) -> Iterable[tuple[int, int, int, int]]:
    for start in range(0, len(texts), BATCH):
        for tokens, words in _tokenized(texts[start : start + BATCH], tokenizer):
            yield _counted(tokens, words, tokenizer.unk_token_id)


def _tokenized(texts: Sequence[Text], tokenizer: PreTrainedTokenizerBase) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """The tokens of each text without special ones, and the word of each token, NaN for none."""
    sentences = [text for text in texts if isinstance(text, tuple)]
    if sentences:
        encoded, words_of = tokenize_words(sentences, tokenizer)
        for row, words in enumerate(words_of):
            own = ~np.array(encoded["special_tokens_mask"][row], dtype=bool)
            yield np.array(encoded["input_ids"][row])[own], np.where(words < 0, np.nan, words)[own]
        return
    plain = tokenizer(
        [text for text in texts if isinstance(text, str)],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    for one in plain.encodings or ():
        yield np.array(one.ids), np.array(one.word_ids, dtype=float)


def _counted(tokens: np.ndarray, word_of: np.ndarray, unknown: int | None) -> tuple[int, int, int, int]:
    # A token outside any word has NaN, which is unequal to itself, so that it counts as a word.
    first = np.append(True, word_of[1:] != word_of[:-1])[: len(tokens)]
    alone = first & np.append(first[1:], True)[: len(tokens)]
    missing = np.zeros(len(tokens), dtype=bool) if unknown is None else tokens == unknown
    return len(tokens), int(first.sum()), int((alone & ~missing).sum()), int(missing.sum())


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
