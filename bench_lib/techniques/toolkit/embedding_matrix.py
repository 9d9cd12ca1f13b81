"""Shifts of the whole matrix of word embeddings, and the unit of their lengths.

Such a shift moves a word in every text of the batch, special tokens included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported, require
from bench_lib.models.architecture import word_embeddings
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.toolkit.embedding_perturbation import backward_at, weights_spared
from bench_lib.techniques.toolkit.sharpness import climbed, factor_to

SCOPES = ("matrix", "example")
"""Whether the matrix is shifted, alike for all texts of a batch, or each text's embedded sequence by itself."""


def check_scope(scope: str, field: str) -> None:
    """Raise `BadValue` for an unknown scope."""
    require(scope in SCOPES, field, scope, " or ".join(SCOPES))


def trained_matrix(training: Training, technique: str) -> nn.Parameter:
    """The matrix of word embeddings; `Unsupported` where it is frozen, and so has no gradient to follow."""
    matrix = word_embeddings(training.model).get_parameter("weight")
    if not matrix.requires_grad:
        raise Unsupported(
            f"{technique} moves the matrix of word embeddings along its gradient, and it is frozen at step "
            f"{training.step + 1}; {technique}:scope=example moves what is embedded instead"
        )
    return matrix


def uphill(gradient: Tensor, length: float) -> Tensor:
    """The shift of this length that raises the loss most, to first order; 0 where the gradient has no direction."""
    factor = factor_to(length, [gradient])
    return factor * gradient if factor else torch.zeros_like(gradient)


def nearer(shift: Tensor, radius: float) -> Tensor:
    """The shift, scaled down to the radius where it is longer; inf for no limit."""
    length = float(shift.norm())
    return shift if length <= radius else shift * (radius / length)


def backward_with(step: Step, matrix: nn.Parameter, shift: Tensor, repeat: int) -> Tensor:
    """Add the gradients of the loss at the shifted matrix, which is then restored to the bit."""
    with climbed([matrix], [shift]):
        return backward_at(step, repeat=repeat)


def gradient_with(step: Step, matrix: nn.Parameter, shift: Tensor, repeat: int) -> Tensor:
    """The gradient of the loss with respect to the shifted matrix; no parameter's own gradient changes."""
    before, matrix.grad = matrix.grad, None
    try:
        with weights_spared(step.training.model, but=matrix):
            backward_with(step, matrix, shift, repeat)
        return gradient_of_matrix(matrix)
    finally:
        matrix.grad = before


def gradient_of_matrix(matrix: nn.Parameter) -> Tensor:
    """The matrix's accumulated gradient."""
    assert matrix.grad is not None, "the loss does not depend on the word embeddings"
    return matrix.grad


def mean_length(training: Training) -> float:
    """The mean length of a pre-trained word embedding, over the whole vocabulary."""
    if training.trimmed is not None:
        return float(training.trimmed.lengths.mean())
    matrix = word_embeddings(training.model).get_parameter("weight")
    name = next(name for name, parameter in training.model.named_parameters() if parameter is matrix)
    # Matched at the end of the name, since a wrapper such as peft's adds a prefix.
    own = next(key for key in training.pretrained if name == key or name.endswith(f".{key}"))
    return float(training.pretrained[own].norm(dim=1).mean())
