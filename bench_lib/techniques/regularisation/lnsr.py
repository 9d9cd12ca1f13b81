"""LNSR: noise on the embeddings should fade from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import clean_and_noisy


@dataclass(frozen=True)
class LNSR(
    Technique,
    name="lnsr",
    family="regularisation",
    paper="Hua et al. 2021, arXiv:2107.04835",
    identity={"weight": 0.0},
    space={
        "weight": (0.1, 1.0, 10.0),  # our choice
        "noise": (0.01, 0.05, 0.2),  # our choice
    },
    trimmable=True,
):
    """Each batch passes twice, once with Gaussian noise on the word embeddings, and every block's output should stay.

    L = CE(f(x)) + weight * sum over blocks r of mean((f_r(x + z) - f_r(x))^2),  z ~ N(0, (noise * rms(x))^2),
    x a token's word embedding

    Hua et al. 2021, "Noise Stability Regularization for Improving BERT Fine-tuning"; no code of theirs was found. Our
    choice: noise of 5 % of each embedding's size, as in the measurement of their figure 1, the same weight 1.0 for all
    blocks, and the mean over hidden units and over the real tokens and those that the head reads. The dropout masks of
    both passes are the same, and both are in fp32.
    Source: Hua et al. 2021 for the idea; figure 1 is not verified.
    """

    weight: float = bounded(1.0, "[0, inf]")
    noise: float = bounded(0.05, "(0, inf]")

    def passes_in_fp32(self) -> bool:
        return bool(self.weight)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.weight else (1, 1)

    def backward(self, step: Step) -> Tensor:
        loss = self._loss(step) if self.weight else step.loss(step.forward())
        step.backward(loss)
        return loss.detach()

    def _loss(self, step: Step) -> Tensor:
        clean, noisy = clean_and_noisy(step, self._draw, hidden=True)
        counted = step.real_tokens | clean.places  # (batch, length)
        changes = [(b - a)[counted].square().mean() for a, b in zip(clean.hidden[1:], noisy.hidden[1:], strict=True)]
        return step.loss(clean) + self.weight * torch.stack(changes).sum()

    def _draw(self, embedded: Tensor, generator: torch.Generator) -> Tensor:
        size = embedded.detach().square().mean(-1, keepdim=True).sqrt()  # (batch, length, 1)
        return self.noise * size * torch.randn(embedded.shape, generator=generator).to(embedded)
