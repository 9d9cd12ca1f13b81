"""PGD: several adversarial steps on the word embeddings, within a ball."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.core.errors import require
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.embedding_matrix import (
    backward_with,
    check_scope,
    gradient_of_matrix,
    gradient_with,
    mean_length,
    nearer,
    trained_matrix,
    uphill,
)
from bench_lib.techniques.toolkit.embedding_perturbation import (
    backward_at,
    gradient_at,
    steepest,
    uniform_noise,
    weights_spared,
    within,
)


@dataclass(frozen=True)
class PGD(
    Technique,
    name="pgd",
    family="adversarial",
    paper="Madry et al. 2018, arXiv:1706.06083",
    identity={"epsilon": 0.0},
    version="2",  # the matrix is shifted for the whole batch, where version 1 shifted each example
    space={
        "epsilon": (0.1, 0.3, 0.5, 1.0),  # our choice below 1
        "step": (0.03, 0.1, 0.3),  # our choice below 0.3
    },
    trimmable=True,
):
    """Train on the worst shift of the word embeddings that several small steps within a ball come to.

    r <- P(r + step * g / ||g||), `steps` times,  P the projection onto ||r|| <= epsilon;
    matrix:   g = dL/dW at W + r, W the matrix of all word embeddings, r = 0 at first;  L = L(W) + L(W + r)
    example:  g = dL/de at e + r, e the embedded sequence of one example of n tokens of d values,
              r ~ U(-1, 1) * init / sqrt(n d) at first;  L = L(e + r)

    Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks", equation 2.1. `matrix` is the
    form that most code for pre-trained models runs, with 3 steps of 0.3 and epsilon 1: the whole batch shares one
    shift, and each pass has dropout masks of its own. Source: yangyubuaa/Adversarial_Training:pgd_framework.py. As
    there each part of a batch is climbed by itself, first along the gradient gathered so far, and an output layer tied
    to the matrix moves with it; frozen embeddings are declined. `example`, with steps=2, step=0.1, epsilon=0.6 and
    init=1, is what Zhu et al. 2020 compare FreeLB with on SST-2; there special tokens have noise too, here real tokens
    alone move, and all passes have the same masks. Source:
    zhuchen03/FreeLB:fairseq-RoBERTa/launch/VanillaPGD/stdadv-sst-fp32-clip.sh. `relative` counts step, epsilon and init
    in mean lengths of a pre-trained word embedding (1.07 in minilm), without which such a radius says little.
    """

    steps: int = bounded(3, "[1, inf]")
    step: float = bounded(0.3, "[0, inf)")
    epsilon: float = bounded(1.0, "[0, inf]", "0 or more; inf for no limit")
    init: float = 0.0
    scope: str = "matrix"
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scope(self.scope, "pgd:scope")
        matrix = self.scope == "matrix"
        fits = self.init == 0 if matrix else 0 <= self.init < math.inf
        allowed = "0 for scope=matrix, which starts without noise" if matrix else "0 or more, finite"
        require(fits, "pgd:init", self.init, allowed)

    def passes(self) -> tuple[int, int]:
        return (self.steps + 1, self.steps + 1) if self.epsilon else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        training = step.training
        unit = training.keep(self, lambda: mean_length(training)) if self.relative else 1.0
        return self._of_matrix(step, unit) if self.scope == "matrix" else self._of_examples(step, unit)

    def _of_matrix(self, step: Step, unit: float) -> Tensor:
        matrix = trained_matrix(step.training, self.name)
        loss = backward_at(step)
        gradient, shift = gradient_of_matrix(matrix), torch.zeros_like(matrix)
        for number in range(1, self.steps + 1):
            shift = nearer(shift + uphill(gradient, self.step * unit), self.epsilon * unit)
            if number < self.steps:
                gradient = gradient_with(step, matrix, shift, repeat=number)
        backward_with(step, matrix, shift, repeat=self.steps)
        return loss

    def _of_examples(self, step: Step, unit: float) -> Tensor:
        shift = uniform_noise(step, self.init * unit, self.name)
        for _ in range(self.steps):
            with weights_spared(step.training.model):
                _, gradient = gradient_at(step, shift)
            shift = within(shift + steepest(gradient, step.real_tokens, self.step * unit), self.epsilon * unit)
        return backward_at(step, shift)
