"""A model that answers prompts: a body, and the checkpoint's own head for words at the mask, or at a prompt's end."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import word_embeddings
from bench_lib.models.causal import CAUSAL
from bench_lib.models.word_head import WordHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

METASPACE = "▁"
"""What stands for a space in the tokens of SentencePiece."""


class PromptedModel(nn.Module):
    """The body of a model, not a copy, with its head for words; logits of the label words, (batch, words).

    They are read at the one mask of each sequence, or without a mask, as in a causal model, at the last token. The
    pooler is left out, since the head does not read it.
    """

    words: Tensor  # (words,)

    def __init__(self, model: PreTrainedModel, head: WordHead, mask: int | None, words: Sequence[int]) -> None:
        super().__init__()
        self.config, self.base_model_prefix, self.mask = model.config, model.base_model_prefix, mask
        if getattr(model.base_model, "pooler", None) is not None:
            model.base_model.register_module("pooler", None)
        # Before the head, so that shared parameters have the body's name.
        self.add_module(self.base_model_prefix, model.base_model)
        self.word_head = head
        head.tie(self.get_input_embeddings().get_parameter("weight"))
        self.register_buffer("words", torch.tensor(words), persistent=False)

    @property
    def base_model(self) -> nn.Module:
        return self.get_submodule(self.base_model_prefix)

    @property
    def device(self) -> torch.device:
        return self.get_buffer("words").device  # peft asks for it

    def get_input_embeddings(self) -> nn.Module:
        return word_embeddings(self.base_model)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        past_key_values: Any = None,
    ) -> SimpleNamespace:
        # Some bodies know neither of the latter two.
        given = {"token_type_ids": token_type_ids, "past_key_values": past_key_values}
        known = {name: value for name, value in given.items() if value is not None}
        states = self.base_model(input_ids=input_ids, attention_mask=attention_mask, **known)[0]
        # A prefix stands before the tokens in the attention mask alone.
        last = attention_mask[:, -input_ids.shape[1] :].sum(dim=1) - 1
        places = last if self.mask is None else (input_ids == self.mask).int().argmax(dim=1)
        rows = torch.arange(len(places), device=places.device)
        return SimpleNamespace(logits=self.word_head(states[rows, places])[:, self.words])

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the head by name, without those that it shares with the body."""
        return {name: p for name, p in self.named_parameters() if name.startswith("word_head.")}

    @property
    def head_layers(self) -> int:
        """The number of the head's layers with a matrix, including the decoder."""
        return sum(p.dim() >= 2 for p in self.word_head.parameters())


def mask_id(tokenizer: PreTrainedTokenizerBase, technique: str, model: str) -> int | None:
    """The id of a tokenizer's mask, None for a causal model, which predicts the next word; else `Unsupported`."""
    if getattr(tokenizer, CAUSAL, False):
        return None
    if tokenizer.mask_token_id is None:
        raise Unsupported(f"{technique} needs a model whose tokenizer has a mask, which {model} lacks")
    return int(tokenizer.mask_token_id)


def spaced(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """A text for the tokenizer, without its first space where the tokenizer adds one, as Llama 2's does."""
    first: str = tokenizer.tokenize("a", add_special_tokens=False)[0]
    return text.removeprefix(" ") if first.startswith(METASPACE) else text


def word_ids(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[int]:
    """The ids of words within a text; `Unsupported` for a word of several tokens or of an unknown one."""
    # With a space before, since byte-level and SentencePiece tokenizers have other tokens within words.
    found = tokenizer([spaced(tokenizer, f" {word}") for word in words], add_special_tokens=False)["input_ids"]
    for word, ids in zip(words, found, strict=True):
        if len(ids) != 1:
            pieces = " ".join(tokenizer.convert_ids_to_tokens(ids))
            raise Unsupported(f"the label word {word!r} is {len(ids)} tokens of this model ({pieces}), and must be one")
        if ids[0] in (tokenizer.unk_token_id, tokenizer.mask_token_id):
            raise Unsupported(f"the label word {word!r} is no token of this model, which reads it as an unknown one")
    chosen = [int(ids[0]) for ids in found]
    if len({*chosen}) < len(chosen):
        raise Unsupported(f"some of the label words {', '.join(words)} are the same token of this model")
    return chosen
