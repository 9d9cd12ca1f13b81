"""A penalty on the weights' absolute values."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class L1(
    Technique,
    name="l1",
    family="regularisation",
    paper="Tibshirani 1996, doi:10.1111/j.2517-6161.1996.tb02080.x",
    identity={"strength": 0.0},
    space={"strength": (1e-6, 1e-5, 1e-4)},  # our choice
    no_trimming="its pull on the word embeddings of all tokens is part of the gradient, whose norm is clipped",
):
    """Pull every trained weight, biases and norms too, towards zero with equal force, as part of the gradient.

    g <- g + strength * sign(theta), the gradient of L + strength * ||theta||_1

    Tibshirani 1996, "Regression Shrinkage and Selection via the Lasso"; strength 1e-5 is our choice. Being coupled, it
    passes through the clipping and through Adam's scaling, which makes a full step of even so small a force where there
    is no other gradient. The recorded loss is without it, and the decoupled decay of the profile stays.
    Source: Tibshirani 1996 for the penalty.
    """

    strength: float = bounded(1e-5, "[0, 1000]")

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        if not self.strength:
            return
        for weight, gradient in with_gradients(training).values():
            # One by one, since allocating the signs of all weights at once takes longer on a CPU.
            gradient.add_(weight.sign(), alpha=self.strength)
