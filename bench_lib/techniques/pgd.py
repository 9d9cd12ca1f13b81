"""PGD: several adversarial steps on the word embeddings, within a ball."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.adversarial import backward_at, gradient_at, steepest, uniform_noise, weights_spared, within
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Step


@dataclass(frozen=True)
class PGD(Technique):
    """Train on the worst shift of the word embeddings that several small steps within a ball come to.

    r <- P(r + step * g / ||g||), `steps` times,  g = dL/de at e + r,  P the projection onto ||r|| <= epsilon;
    r ~ U(-1, 1) * init / sqrt(n d) at the start, n real tokens of d values;  L = L(e + r)

    Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks", equation 2.1, in the form for
    texts that Zhu et al. 2020 compare FreeLB with: l2 norms over the embedded sequence of one example; 2 steps of 0.1,
    epsilon 0.6 and init 1 are those of their released code for SST-2. Theirs starts from noise on special tokens as
    well; here real tokens alone move. All passes of a batch have the same dropout masks.
    """

    name: ClassVar[str] = "pgd"
    family: ClassVar[str] = "adversarial"
    paper: ClassVar[str] = "Madry et al. 2018, arXiv:1706.06083"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"epsilon": 0.0}

    steps: int = 2
    step: float = 0.1
    epsilon: float = 0.6
    init: float = 1.0

    def __post_init__(self) -> None:
        require(self.steps >= 1, "pgd:steps", self.steps, "1 or more")
        require(0 <= self.step < math.inf, "pgd:step", self.step, "0 or more, finite")
        require(self.epsilon >= 0, "pgd:epsilon", self.epsilon, "0 or more; inf for no limit")
        require(0 <= self.init < math.inf, "pgd:init", self.init, "0 or more, finite")

    def passes(self) -> tuple[int, int]:
        return (self.steps + 1, self.steps + 1) if self.epsilon else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        shift = uniform_noise(step, self.init, self.name)
        for _ in range(self.steps):
            with weights_spared(step.training.model):
                _, gradient = gradient_at(step, shift)
            shift = within(shift + steepest(gradient, step.real_tokens, self.step), self.epsilon)
        return backward_at(step, shift)
