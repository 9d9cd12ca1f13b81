"""Language modelling: the targets of a sequence, and the model that predicts them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_lib.models.architecture import word_embeddings
from bench_lib.models.initialisation import initialise
from bench_lib.techniques.interface.context import Output, Training

HIDDEN, SWAPPED = 0.8, 0.1
"""Shares of the targets that are masked, and that are replaced by a random token; the rest stay visible."""


@dataclass(frozen=True, eq=False)
class Masking:
    """Chooses a share of a sequence's tokens as targets, at least one: 80 % are masked, 10 % replaced, 10 % stay.

    Devlin et al. 2019, section 3.1 and appendix A.1; special tokens are no targets.
    """

    share: float
    mask: int
    vocabulary: int
    generator: np.random.Generator

    def __call__(self, ids: np.ndarray, special: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        words = np.flatnonzero(~special)
        targets = self.generator.choice(words, max(1, round(self.share * len(words))), replace=False)
        fate, others = self.generator.random(len(targets)), self.generator.integers(self.vocabulary, size=len(targets))
        read = ids.copy()
        read[targets] = np.where(fate < HIDDEN, self.mask, np.where(fate < HIDDEN + SWAPPED, others, ids[targets]))
        is_target = np.zeros(len(ids), dtype=bool)
        is_target[targets] = True
        return read, is_target


def every_token(ids: np.ndarray, special: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All tokens but special ones are predicted from what stands before them, the first of a sequence excepted."""
    is_target = ~special
    is_target[0] = False
    return ids, is_target


class LanguageModel(nn.Module):
    """The body of a run's model, not a copy, with a head for words.

    Its `logits` are the body's states. Only `loss` applies the head, in fp32, and only to the targets: logits of every
    token over the whole vocabulary would take most of the memory and half of the time.
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
        if token_type_ids is not None:  # some models take none
            inputs["token_type_ids"] = token_type_ids
        return SimpleNamespace(logits=self.get_submodule(self.base_model_prefix)(**inputs)[0])

    def loss(self, output: Output) -> Tensor:
        """Mean cross-entropy of the targets, from the states at their places."""
        return F.cross_entropy(self.word_head(output.logits[0]), output.targets[0])


class NewWordHead(nn.Module):
    """A new head for words, built as BERT's and RoBERTa's, for a checkpoint without one.

    A dense layer, gelu, a norm, and a decoder that shares the matrix of the word embeddings.
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
