"""A penalty on the weights' squares."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class L2(
    Technique,
    name="l2",
    family="regularisation",
    paper="Loshchilov & Hutter 2019, arXiv:1711.05101",
    identity={"strength": 0.0},
    space={"strength": (1e-4, 1e-3, 1e-2)},
    no_trimming="its pull on the word embeddings of all tokens is part of the gradient, whose norm is clipped",
):
    """Pull every trained weight, biases and norms too, towards zero in proportion to it, as part of the gradient.

    g <- g + strength * theta, the gradient of L + strength / 2 * ||theta||^2

    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2 without the decoupling; strength 0.01
    as the baseline's decay, which stays. Being coupled, it passes through the clipping and through Adam's scaling,
    which makes a full step of it where there is no other gradient: what the decoupling was proposed against. The
    recorded loss is without it.
    Source: thuml/Transfer-Learning-Library:tllib/regularization/delta.py for half the squared norm of all parameters.
    """

    strength: float = bounded(0.01, "[0, 1000]")

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        if self.strength and (pairs := with_gradients(training)):
            weights, gradients = zip(*pairs.values(), strict=True)
            torch._foreach_add_(gradients, weights, alpha=self.strength)
