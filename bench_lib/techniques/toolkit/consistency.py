"""Consistency of predictions: divergences between two passes, and pairs of a clean and a noisy pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from bench_lib.models.interventions import embedding_changed
from bench_lib.techniques.interface.context import Output, Step

Noise = Callable[[Tensor, torch.Generator], Tensor]
"""Noise for word embeddings, (batch, length, hidden), drawn from a CPU generator and moved to their device."""


def symmetric_kl(logits_a: Tensor, logits_b: Tensor) -> Tensor:
    """Mean over the rows of (KL(a || b) + KL(b || a)) / 2; logits of shape (rows, classes), in fp32."""
    log_a, log_b = logits_a.float().log_softmax(-1), logits_b.float().log_softmax(-1)
    # One product of differences instead of two divergences: never negative, and exactly 0 for equal inputs.
    # Masked positions have log-probability -inf in both, where the difference is not a number.
    gap = torch.where(log_a.isfinite() & log_b.isfinite(), log_a - log_b, 0.0)
    return ((log_a.exp() - log_b.exp()) * gap).sum(-1).mean() / 2


def disagreement(a: Output, b: Output) -> Tensor:
    """The symmetric divergence of two predictions, averaged over start and end of answer spans.

    Of numbers it is the mean squared difference, the same divergence of two normal distributions of variance 1/2, whose
    cross-entropy is the squared error.
    """
    divergence = F.mse_loss if a.numbers else symmetric_kl
    return torch.stack([divergence(x, y) for x, y in zip(a.logits, b.logits, strict=True)]).mean()


def clean_and_noisy(step: Step, noise: Noise, hidden: bool = False, repeat: int = 0) -> tuple[Output, Output]:
    """Two passes; the second adds noise to the word embeddings of real tokens, with new dropout masks if `repeat`.

    Both are in fp32 in any profile: in bf16 a small shift of the embeddings is lost in their rounding.
    """
    training = step.training
    generator = training.generator("dropout", "smoothness", training.step, step.number)
    real = step.real_tokens.unsqueeze(-1)  # (batch, length, 1)
    clean = step.forward(hidden=hidden, full_precision=True)
    with embedding_changed(training.model, lambda e: e + noise(e, generator) * real):
        return clean, step.forward(repeat, hidden=hidden, full_precision=True)


def noisy_loss(step: Step, epsilon: float, weight: float, same_masks: bool) -> Tensor:
    """CE(f(x)) + weight * (KL(f(x) || f(x + z)) + KL(f(x + z) || f(x))), z ~ U(-epsilon, epsilon).

    Aghajanyan et al. 2021, the loss of R3F; a weight of 0 is one ordinary pass.
    """
    if not weight:
        return step.loss(step.forward())
    clean, noisy = clean_and_noisy(
        step,
        lambda e, g: torch.empty(e.shape).uniform_(-epsilon, epsilon, generator=g).to(e),
        repeat=0 if same_masks else 1,
    )
    return step.loss(clean) + weight * 2 * disagreement(clean, noisy)
