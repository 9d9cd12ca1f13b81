"""FGM: one adversarial step on the word embeddings."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.embedding_matrix import (
    backward_with,
    check_scope,
    gradient_of_matrix,
    mean_length,
    trained_matrix,
    uphill,
)
from bench_lib.techniques.toolkit.embedding_perturbation import backward_at, gradient_at, steepest


@dataclass(frozen=True)
class FGM(
    Technique,
    name="fgm",
    family="adversarial",
    paper="Miyato et al. 2017, arXiv:1605.07725",
    identity={"epsilon": 0.0},
    version="2",  # the matrix is shifted for the whole batch, where version 1 shifted each example
    space={"epsilon": (0.1, 0.3, 0.5, 1.0)},  # 1 as in trick.py, less is our choice
    trimmable=True,
):
    """Train on the clean batch and on its worst small shift of the word embeddings, both with equal weight.

    matrix:   W + epsilon * G / ||G||,  W the matrix of all word embeddings, G = dL/dW over the batch
    example:  e + epsilon * g / ||g||,  e the embedded sequence of one example, g = dL/de;  L = L(clean) + L(shifted)

    Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text Classification", equations 2 and 5.
    `matrix` is the form that most code for pre-trained models runs, with epsilon 1: the whole batch shares one shift.
    Source: thinkingmanyangyang/multi-classification:trick.py. As there a shift follows each part of a batch, along the
    gradient gathered so far, and an output layer tied to the matrix moves with it; frozen embeddings are declined.
    `example` is the paper's form, in which each text's own real tokens are shifted by epsilon. Source:
    tensorflow/models:research/adversarial_text/adversarial_losses.py, whose epsilon 5 is for embeddings normalised over
    the vocabulary. Pre-trained ones are not, and a radius says little without their length: `relative` counts it in
    mean lengths of a pre-trained word embedding (1.07 in minilm), so that a value can be carried to another model.
    Epsilon 1 is much for a small model: on 320 examples of SST-2 minilm collapsed with `example` in 2 runs of 2 and
    with `matrix` in none, on 128 examples with either. The two passes have dropout masks of their own.
    """

    epsilon: float = bounded(1.0, "[0, inf)")
    scope: str = "matrix"
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scope(self.scope, "fgm:scope")

    def passes(self) -> tuple[int, int]:
        return (2, 2) if self.epsilon else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        training = step.training
        epsilon = self.epsilon * (training.keep(self, lambda: mean_length(training)) if self.relative else 1.0)
        if self.scope == "example":
            loss, gradient = gradient_at(step)
            backward_at(step, steepest(gradient, step.real_tokens, epsilon), repeat=1)
            return loss
        matrix = trained_matrix(training, self.name)
        loss = backward_at(step)
        backward_with(step, matrix, uphill(gradient_of_matrix(matrix), epsilon), repeat=1)
        return loss
