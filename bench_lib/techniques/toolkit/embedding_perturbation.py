"""Random and adversarial shifts of the embedded sequence in the forward pass; the embedding matrix stays as it is.

A shift has the shape (batch, length, hidden), and is 0 at padding and special tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from bench_lib.models.architecture import word_embeddings
from bench_lib.models.interventions import embedding_changed
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.toolkit.sharpness import LEAST_NORM

ACT_ON_EMBEDDED = ("neftune", "freelb", "r3f", "r4f", "smart", "lnsr", "lr_drop", "token_cutoff")
"""Techniques that change, or count on, the output of the embeddings; earlier versions missed it in an encoder of T5."""


def steepest(gradient: Tensor, real_tokens: Tensor, epsilon: float) -> Tensor:
    """The shift of length epsilon that raises each sequence's loss most, to first order: epsilon * g / ||g||.

    A sequence whose gradient is not finite or too close to zero is not shifted. The loss scale of fp16 and the
    batch size cancel.
    """
    real = gradient.masked_fill(~real_tokens.unsqueeze(-1), 0.0)
    norm = norms(real)
    directed = (norm >= LEAST_NORM) & norm.isfinite()
    return torch.where(directed, epsilon * real / norm, 0.0)


def within(shift: Tensor, radius: float) -> Tensor:
    """Each sequence's shift, scaled down to the radius where it is longer; inf for no limit."""
    factor = (radius / norms(shift).clamp_min(LEAST_NORM)).clamp_max(1.0)
    return shift * factor


def norms(shift: Tensor) -> Tensor:
    """The length of each sequence's shift as one vector, (batch, 1, 1)."""
    lengths: Tensor = shift.flatten(1).norm(dim=1)
    return lengths[:, None, None]


def steepest_by_token(gradient: Tensor, real_tokens: Tensor, size: float) -> Tensor:
    """As `steepest`, but for each token, and with the largest value in place of the length: size * g / max|g|."""
    real = gradient.masked_fill(~real_tokens.unsqueeze(-1), 0.0)
    peak = real.abs().amax(-1, keepdim=True)  # (batch, length, 1)
    directed = (peak > 0) & peak.isfinite()
    return torch.where(directed, size * (real / peak), 0.0)


def uniform_noise(step: Step, magnitude: float, technique: str) -> Tensor:
    """U(-1, 1) * magnitude / sqrt(L * d) for each of the d values of a sequence's L real tokens.

    Its length is about magnitude / sqrt(3), whatever L and d are.
    """
    noise = _drawn(step, technique, lambda values, generator: values.uniform_(-1, 1, generator=generator))
    size = magnitude / (step.real_tokens.sum(1) * noise.shape[-1]).clamp_min(1).sqrt()  # (batch,)
    return noise * size[:, None, None]


def normal_noise(step: Step, sigma: float, technique: str) -> Tensor:
    """N(0, sigma^2) for each value of the real tokens."""
    return _drawn(step, technique, lambda values, generator: values.normal_(0, sigma, generator=generator))


def _drawn(step: Step, technique: str, fill: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
    training, real = step.training, step.real_tokens
    width = word_embeddings(training.model).get_parameter("weight").shape[-1]
    generator = training.generator("dropout", technique, training.step, step.number)
    return fill(torch.empty(*real.shape, width), generator).to(real.device) * real.unsqueeze(-1)


def shifted(model: nn.Module, shift: Tensor) -> AbstractContextManager[None]:
    """Shift the word embeddings of every forward pass."""
    return embedding_changed(model, lambda embedded: embedded + shift)


@contextmanager
def embedding_watched(model: nn.Module, shift: Tensor | None = None) -> Iterator[list[Tensor]]:
    """Shift the word embeddings of every forward pass and collect them; each has a `grad` after the backward pass."""
    found: list[Tensor] = []

    def watched(embedded: Tensor) -> Tensor:
        if shift is not None:
            embedded = embedded + shift
        # Frozen embeddings would give a tensor without a gradient.
        if not embedded.requires_grad:
            embedded = embedded.detach().requires_grad_()
        embedded.retain_grad()
        found.append(embedded)
        return embedded

    with embedding_changed(model, watched):
        yield found


@contextmanager
def weights_spared(model: nn.Module, but: nn.Parameter | None = None) -> Iterator[None]:
    """Compute no gradients of weights in backward passes, but for one."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter is not but]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def backward_at(
    step: Step, shift: Tensor | None = None, weight: float = 1.0, repeat: int = 0, full_precision: bool = False
) -> Tensor:
    """Add `weight` times the gradients of the loss at a shift, and return that loss; without a shift, the usual one."""
    with nullcontext() if shift is None else shifted(step.training.model, shift):
        loss = step.loss(step.forward(repeat, full_precision=full_precision))
        step.backward(weight * loss)
    return loss.detach()


def gradient_at(step: Step, shift: Tensor | None = None, weight: float = 1.0) -> tuple[Tensor, Tensor]:
    """As `backward_at`; returns the loss, and `weight` times its gradient with respect to the embedded sequence."""
    with embedding_watched(step.training.model, shift) as embedded:
        loss = backward_at(step, weight=weight)
    return loss, gradient_of(embedded)


def gradient_of(embedded: list[Tensor]) -> Tensor:
    """The gradient with respect to the one watched embedded sequence."""
    (watched,) = embedded
    assert watched.grad is not None, "the loss does not depend on the word embeddings"
    return watched.grad
