"""Clipping of each element of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class ClipValue(
    Technique,
    name="clip_value",
    family="optimisation",
    paper="Pascanu et al. 2013, arXiv:1211.5063, after Mikolov 2012",
    identity={"max_value": float("inf")},
    space={"max_value": (1e-3, 1e-2, 1e-1, 1.0)},  # our choice
    trimmable=True,
):
    """Cut every element of the gradient off at a largest absolute value, before the profile clips the norm.

    g_i <- max(-max_value, min(max_value, g_i))

    Mikolov 2012, "Statistical Language Models Based on Neural Networks", as Pascanu et al. 2013, section 3.1, report it
    for temporal components of the gradient, without a value. 0.5 is our choice, and large: of a gradient of norm 1 over
    1e8 weights an element has some 1e-4.
    Source: Pascanu et al. 2013, section 3.1.
    """

    max_value: float = bounded(0.5, "(0, inf]", "above 0; inf for no clipping")

    def after_backward(self, training: Training) -> None:
        if self.max_value != float("inf"):
            torch.nn.utils.clip_grad_value_(training.trainable().values(), self.max_value)
