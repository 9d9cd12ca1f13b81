"""Texts and pairs of texts in torch: what is asked of each is read from one token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench_lib.harness.formats.features import Feature, feature_of
from bench_lib.models.causal import nothing, text_token
from bench_lib.models.stacks import check_ends, last_end
from bench_lib.tasks.formats.texts import Texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_texts(
    examples: Sequence[Texts], targets: Sequence[np.ndarray], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Feature]:
    """Tokenise texts, each with its target, and cut what is too long.

    The target is read from the first token, a causal model's last, or the end of text in a body of two stacks.
    """
    pairs = [e.pair or "" for e in examples] if any(e.pair is not None for e in examples) else None
    encoded = tokenizer(
        [e.text or nothing(tokenizer) for e in examples],
        pairs,
        truncation=True,
        max_length=max_length,
        return_special_tokens_mask=True,
    )
    check_ends(tokenizer, encoded["input_ids"])
    rows = [last_end(tokenizer, ids) or text_token(tokenizer, ids) for ids in encoded["input_ids"]]
    return [
        feature_of(encoded, (i, i), target, np.array([row]), np.array([0]), row)
        for i, (target, row) in enumerate(zip(targets, rows, strict=True))
    ]
