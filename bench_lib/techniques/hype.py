"""HyPe: noise on the hidden states that every block is given."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench_lib.errors import require
from bench_lib.spec import Profile, Scalar
from bench_lib.techniques.adversarial import backward_at
from bench_lib.techniques.base import Technique
from bench_lib.techniques.hidden import block_inputs_changed
from bench_lib.techniques.training import Step


@dataclass(frozen=True)
class HyPe(Technique):
    """Train with a little noise on what every block is given, in place of dropout.

    h <- h + z before each block,  z ~ U(-epsilon, epsilon) for each value, or N(0, epsilon^2) if normal

    Yuan et al. 2023, "HyPe: Better Pre-trained Language Model Fine-tuning with Hidden Representation Perturbation";
    epsilon 1e-5, uniform and no dropout are those of their released command. Its code draws from U(0, epsilon); the
    paper's noise is symmetric (from memory, not checked). As in theirs all tokens get it, the special ones too, but
    padding does not, where theirs, which nothing attends to, has no effect. A dropout of None keeps the profile's. In
    lower precision the noise reaches the sums that blocks add to, and is mostly rounded away in their products.
    """

    name: ClassVar[str] = "hype"
    family: ClassVar[str] = "adversarial"
    paper: ClassVar[str] = "Yuan et al. 2023, arXiv:2212.08853"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"epsilon": 0.0, "dropout": None}

    epsilon: float = 1e-5
    normal: bool = False
    dropout: float | None = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.epsilon < math.inf, "hype:epsilon", self.epsilon, "0 or more, finite")
        fits = self.dropout is None or 0 <= self.dropout < 1
        require(fits, "hype:dropout", self.dropout, "0 up to, not including, 1; None to keep")

    def configure(self, profile: Profile) -> Profile:
        return profile if self.dropout is None else dataclasses.replace(profile, dropout=self.dropout)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        training = step.training
        generator = training.generator("dropout", self.name, training.step, step.number)
        with block_inputs_changed(training, lambda h, text: h + self._noise(h, generator) * text.unsqueeze(-1)):
            return backward_at(step)

    def _noise(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        draws = torch.empty(hidden.shape)
        if self.normal:
            return draws.normal_(0, self.epsilon, generator=generator).to(hidden)
        return draws.uniform_(-self.epsilon, self.epsilon, generator=generator).to(hidden)
