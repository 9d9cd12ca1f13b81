"""FGM: one adversarial step on the word embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.adversarial import backward_at, gradient_at, steepest
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Step


@dataclass(frozen=True)
class FGM(Technique):
    """Train on the clean batch and on its worst small shift of the word embeddings, both with equal weight.

    r = epsilon * g / ||g||,  g = dL/de over the embedded sequence e of one example;  L = L(e) + L(e + r)

    Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text Classification", equations 2 and 5;
    epsilon 1, as the catalogue has it. They normalise the embeddings of a vocabulary first, which a pre-trained model
    would not stand. The shift touches real tokens only and lives in the forward pass: the embedding matrix never
    changes. The two passes have dropout masks of their own.
    """

    name: ClassVar[str] = "fgm"
    family: ClassVar[str] = "adversarial"
    paper: ClassVar[str] = "Miyato et al. 2017, arXiv:1605.07725"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"epsilon": 0.0}

    epsilon: float = 1.0

    def __post_init__(self) -> None:
        require(0 <= self.epsilon < math.inf, "fgm:epsilon", self.epsilon, "0 or more, finite")

    def passes(self) -> tuple[int, int]:
        return (2, 2) if self.epsilon else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        loss, gradient = gradient_at(step)
        backward_at(step, steepest(gradient, step.real_tokens, self.epsilon), repeat=1)
        return loss
