"""The pre-trained head of a checkpoint for words: masked ones, or in a causal model the next one."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.architecture import is_causal
from bench_lib.models.checkpoint import Loaded, load_checkpoint
from bench_lib.models.load import place_of
from bench_lib.models.reading import explained
from bench_lib.models.source import find_source

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions


def _given(self: Given, *_inputs: object, **_options: object) -> BaseModelOutputWithPastAndCrossAttentions:
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

    return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.states)


class Given(nn.Module):
    """Replaces a model's body, and returns the given states for any input."""

    states: Tensor  # (1, rows, hidden)
    forward = _given

    @property
    def decoder(self) -> Given:
        """Itself, since OPT's head calls this part of its body."""
        return self


class WordHead(nn.Module):
    """Logits over the vocabulary, (rows, vocabulary), from a body's last states, (rows, hidden).

    The checkpoint's own class for words without its body. Where the decoder is the matrix of word embeddings, it
    has no weights until `tie` sets those of a body.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        decoder = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self.decoder = next(name for name, module in model.named_modules() if module is decoder)
        self.tied = decoder.weight is model.get_input_embeddings().weight
        # Not `model`, as some families call their body. Techniques draw under this name, also in a causal model.
        self.masked_lm: nn.Module = model
        self.body = model.base_model_prefix
        setattr(model, self.body, Given())
        if self.tied:
            self.tie(nn.Parameter(torch.empty(0)))

    def tie(self, words: nn.Parameter) -> None:
        """Share a body's word embeddings with the decoder, unless it has its own weights."""
        if self.tied:
            self.masked_lm.get_submodule(self.decoder).weight = words

    def forward(self, states: Tensor) -> Tensor:
        given = self.masked_lm.get_submodule(self.body)
        given.states = states.unsqueeze(0)
        logits: Tensor = self.masked_lm().logits[0]
        del given.states  # frees their graph
        return logits


def word_head(ref: Ref) -> WordHead | None:
    """A fresh copy of the pre-trained head for words, in fp32; None for a checkpoint without a whole one.

    It predicts masked words, and in a causal model the next one. Sentence encoders, discriminators such as ELECTRA's
    and random weights have none. A body of two stacks raises `Unsupported`.
    """
    return copy.deepcopy(_template(ref))


@functools.lru_cache(maxsize=2)
def _template(ref: Ref) -> WordHead | None:
    from transformers.models.auto import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    source = find_source(ref.name, MODELS)
    place, options = place_of(source, ref)
    with explained(ref):
        config = AutoConfig.from_pretrained(place, **options)
        if getattr(config, "is_encoder_decoder", False):
            raise Unsupported(
                "a body of two stacks has a head for words that writes after what the encoder read, and predicts no "
                "masked words in place"
            )
        auto_model = AutoModelForCausalLM if is_causal(config) else AutoModelForMaskedLM
        if source.random or type(config) not in auto_model._model_mapping:
            return None
        options |= {"dtype": torch.float32, "attn_implementation": "eager", "use_safetensors": True}
        model, loaded = load_checkpoint(auto_model, place, options)
    return WordHead(model) if _holds_head(model, loaded) else None


def _holds_head(model: PreTrainedModel, loaded: Loaded) -> bool:
    """Whether every parameter outside the body came from the checkpoint, under any of its names if it has several."""
    absent, body = loaded.missing | loaded.mismatched.keys(), f"{model.base_model_prefix}."
    came = {id(p) for name, p in model.named_parameters(remove_duplicate=False) if name not in absent}
    return all(id(p) in came for name, p in model.named_parameters() if not name.startswith(body))
