"""Masked language modelling: which words are hidden, and the model that tells them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_lib.models.architecture import initialise, word_embeddings
from bench_lib.techniques.interface.context import Output, Training

HIDDEN, SWAPPED = 0.8, 0.1
"""Shares of the words to be told that are masked, and that another takes the place of; the rest stay to be seen."""


@dataclass(frozen=True, eq=False)
class Masking:
    """Hides a share of a sequence's words, at least one: of ten, eight are masked, one is another, one stays.

    Devlin et al. 2019, section 3.1 and appendix A.1; special tokens are never hidden.
    """

    share: float
    mask: int
    vocabulary: int
    generator: np.random.Generator

    def __call__(self, ids: np.ndarray, special: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words = np.flatnonzero(~special)
        told = self.generator.choice(words, max(1, round(self.share * len(words))), replace=False)
        fate, others = self.generator.random(len(told)), self.generator.integers(self.vocabulary, size=len(told))
        read = ids.copy()
        read[told] = np.where(fate < HIDDEN, self.mask, np.where(fate < HIDDEN + SWAPPED, others, ids[told]))
        places = np.zeros(len(ids), dtype=bool)
        places[told] = True
        return read, places


class MaskedLanguageModel(nn.Module):
    """The body of a run's model, not a copy, with a head that tells masked words: logits from states, row by row.

    The model gives the body's states, and `loss` asks the head about those of the words to be told: the logits of every
    token over the whole vocabulary would be most of the memory and half of the work. The head computes in fp32.
    """

    def __init__(self, training: Training, head: nn.Module) -> None:
        super().__init__()
        self.base_model_prefix = training.architecture.body
        self.add_module(self.base_model_prefix, training.model.get_submodule(self.base_model_prefix))
        self.word_head = head.to(training.device)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> SimpleNamespace:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:  # which some models do not know
            inputs["token_type_ids"] = token_type_ids
        return SimpleNamespace(logits=self.get_submodule(self.base_model_prefix)(**inputs)[0])

    def loss(self, output: Output) -> Tensor:
        """Mean cross-entropy of the words to be told, from the states at their places."""
        return F.cross_entropy(self.word_head(output.logits[0]), output.targets[0])


class NewWordHead(nn.Module):
    """A head for masked words as BERT's and RoBERTa's, drawn anew, for a checkpoint without one of its own.

    It is a dense layer, gelu, a norm, and a decoder whose matrix is that of the word embeddings.
    """

    def __init__(self, training: Training, generator: torch.Generator) -> None:
        super().__init__()
        body, config = training.model.get_submodule(training.architecture.body), training.model.config
        self.words = word_embeddings(body).get_parameter("weight")
        count, width = self.words.shape
        norm = nn.LayerNorm(width, eps=float(getattr(config, "layer_norm_eps", 1e-12)))
        self.transform = nn.Sequential(nn.Linear(int(getattr(config, "hidden_size", width)), width), nn.GELU(), norm)
        initialise(self.transform, float(getattr(config, "initializer_range", 0.02)), generator)
        self.bias = nn.Parameter(torch.zeros(count))

    def forward(self, states: Tensor) -> Tensor:
        return F.linear(self.transform(states), self.words, self.bias)
