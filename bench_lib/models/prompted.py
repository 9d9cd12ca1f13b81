"""A model that answers prompts: a body, and the checkpoint's own head for masked words at the mask."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import word_embeddings
from bench_lib.models.causal import CAUSAL
from bench_lib.models.word_head import WordHead


class PromptedModel(nn.Module):
    """The body of a model, not a copy, with a head for masked words; logits of the label words, (batch, words).

    Each sequence has one mask. The pooler is left out, since the head does not read it.
    """

    words: Tensor  # (words,)

    def __init__(self, model: PreTrainedModel, head: WordHead, mask: int, words: Sequence[int]) -> None:
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
        places = (input_ids == self.mask).int().argmax(dim=1)
        rows = torch.arange(len(places), device=places.device)
        return SimpleNamespace(logits=self.word_head(states[rows, places])[:, self.words])

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the head by name, without those that it shares with the body."""
        return {name: p for name, p in self.named_parameters() if name.startswith("word_head.")}

    @property
    def head_layers(self) -> int:
        """The number of the head's layers with a matrix, including the decoder."""
        return sum(p.dim() >= 2 for p in self.word_head.parameters())


def mask_id(tokenizer: PreTrainedTokenizerBase, technique: str, model: str) -> int:
    """The id of a tokenizer's mask; `Unsupported` without one, and where words would be read from one side alone."""
    if getattr(tokenizer, CAUSAL, False):
        raise Unsupported(f"{technique} predicts masked words from both sides, and this model reads from left to right")
    if tokenizer.mask_token_id is None:
        raise Unsupported(f"{technique} needs a model whose tokenizer has a mask, which {model} lacks")
    return int(tokenizer.mask_token_id)


def word_ids(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[int]:
    """The ids of words within a text; `Unsupported` for a word of several tokens or of an unknown one."""
    # With a space before, since byte-level and SentencePiece tokenizers have other tokens within words.
    found = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]
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
