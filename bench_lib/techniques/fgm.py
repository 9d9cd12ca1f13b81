"""FGM: one adversarial step on the word embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.embedding import embedding_changed
from bench_lib.techniques.training import Step


@dataclass(frozen=True)
class FGM(Technique):
    """Train on the clean batch and on its worst small shift of the word embeddings, both with equal weight.

    r = epsilon * g / ||g||,  g = dL/de over the embedded sequence e of one example;  L = L(e) + L(e + r)

    Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text Classification", equations 2 and 5;
    epsilon 1. The shift touches real tokens only and lives in the forward pass: the embedding matrix never changes.
    """

    name: ClassVar[str] = "fgm"
    family: ClassVar[str] = "adversarial"
    paper: ClassVar[str] = "Miyato et al. 2017, arXiv:1605.07725"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"epsilon": 0.0}

    epsilon: float = 1.0

    def __post_init__(self) -> None:
        require(self.epsilon >= 0, "fgm:epsilon", self.epsilon, "0 or more")

    def passes(self) -> tuple[int, int]:
        return (2, 2) if self.epsilon else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            loss = step.loss(step.forward())
            step.backward(loss)
            return loss.detach()
        embedded: list[Tensor] = []
        model = step.training.model
        with embedding_changed(model, lambda e: _watched(e, embedded)):
            loss = step.loss(step.forward())
            step.backward(loss)
        shift = self._shift(embedded[0], step.real_tokens)
        with embedding_changed(model, lambda e: e + shift):
            step.backward(step.loss(step.forward(repeat=1)))
        return loss.detach()

    def _shift(self, embedded: Tensor, real_tokens: Tensor) -> Tensor:
        assert embedded.grad is not None, "the loss does not depend on the word embeddings"
        gradient = embedded.grad * real_tokens.unsqueeze(-1)  # (batch, length, hidden)
        norm: Tensor = gradient.flatten(1).norm(dim=1).clamp_min(torch.finfo(gradient.dtype).tiny)  # (batch,)
        shift: Tensor = self.epsilon * gradient / norm[:, None, None]
        return shift


def _watched(embedded: Tensor, found: list[Tensor]) -> Tensor:
    # Frozen embeddings give a tensor without a gradient; its gradient is needed all the same.
    if not embedded.requires_grad:
        embedded = embedded.detach().requires_grad_()
    embedded.retain_grad()
    found.append(embedded)
    return embedded
