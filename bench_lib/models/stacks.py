"""Models of an encoder and a decoder: what their tokenizer and configuration need for their heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from bench_lib.core.errors import BadData, Unsupported

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

ENDS = "ends_by"
"""The attribute of a tokenizer of such a model: the token that ends a text, at which its head reads a class."""

OPENING = "decoder_opening"
"""The attribute of such a model's configuration: the tokens that its decoder begins with, before those of a text."""


def mark_ends(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Note the token that ends a text; `BadData` for a tokenizer that puts none there."""
    end = tokenizer.eos_token_id
    if end is None or tokenizer("a")["input_ids"][-1] != end:
        raise BadData(
            f"model {name!r}: its tokenizer does not end a text by its end-of-text token, at which the head reads the "
            "class and a written text ends; add it to the template in its tokenizer.json"
        )
    setattr(tokenizer, ENDS, int(end))


def fit_stacks(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let a model know the padding, the end of a text and what its decoder begins with; it keeps no cache."""
    config.pad_token_id, config.eos_token_id = tokenizer.pad_token_id, getattr(tokenizer, ENDS)
    if getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = tokenizer.pad_token_id  # as T5 was pre-trained
    config.use_cache = False
    before = [*takewhile(bool, tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"])]
    # As BART was pre-trained, whose texts begin with a token of their own.
    setattr(config, OPENING, [config.decoder_start_token_id, *tokenizer("a")["input_ids"][: len(before)]])


def last_end(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> int:
    """The place of the last end of a text, which stands for all of it; 0 for a model of one stack."""
    end = getattr(tokenizer, ENDS, None)
    return 0 if end is None else len(ids) - 1 - list(reversed(ids)).index(end)


def check_ends(tokenizer: PreTrainedTokenizerBase, sequences: Sequence[Sequence[int]]) -> None:
    """Raise `Unsupported` where sequences differ in their number of ends, which transformers' heads do not take."""
    end = getattr(tokenizer, ENDS, None)
    if end is None:
        return
    counts = [list(ids).count(end) for ids in sequences]
    odd = next((number for number, count in enumerate(counts) if count != min(counts)), None)
    if odd is not None:
        raise Unsupported(
            f"text {odd} of {len(counts)} holds {tokenizer.eos_token!r}, by which this model's head finds the end of a "
            "text; take it out of the text"
        )
