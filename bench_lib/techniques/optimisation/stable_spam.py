"""Stable-SPAM: Adam on gradients of steady size that forgets its momentum."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training, with_gradients
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.technique import Technique

TINY = 1e-8
"""What is added to a norm that is divided by."""


@dataclass(frozen=True)
class StableSPAM(
    Technique,
    name="stable_spam",
    family="optimisation",
    paper="Huang et al. 2025, arXiv:2502.17055",
    identity=None,
    no_identity="its gradients always have norms of their own; its test shows the published steps",
    supersedes={"clip_norm+": "it scales in place of the whole gradient's norm"},
    space={
        "gamma1": (0.7, 0.85, 0.9),  # our choice but for 0.7
        "every": (0.1, 0.25, 0.5, 1.0),  # our choice
    },
    trimmable=True,
):
    """AdamW whose gradients are clipped and scaled, tensor by tensor, by what they were, and whose moments begin anew.

    g_i <- g_i * M / max |g| where |g_i| > M,  then  g <- g / ||g|| * N / sqrt(S),  M, N and S the unbiased averages of
    max |g|, ||g|| and ||g||^2 with gamma3, gamma1 and gamma2;  every `every` * steps updates
    m <- 0, v <- 0,  and the bias correction begins anew

    Huang et al. 2025, "Stable-SPAM: How to Train in 4-Bit More Stably than 16-Bit Adam"; gamma1 0.7, gamma2 0.9 and
    gamma3 0.999 are those of public ports. Their 1,000 updates between resets are whole runs here: a quarter of the run
    is our choice, as for `spam`. The profile's clipping is left out.
    Source: kozistr/pytorch_optimizer:pytorch_optimizer/optimizer/spam.py; the paper's settings are not verified.
    """

    gamma1: float = bounded(0.7, "[0, 1)", "0 or more, below 1")
    gamma2: float = bounded(0.9, "[0, 1)", "0 or more, below 1")
    gamma3: float = bounded(0.999, "[0, 1)", "0 or more, below 1")
    every: float = bounded(0.25, "(0, 1]", "a share of the steps, above 0, at most 1")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, clip_norm=math.inf)

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return decoupled_adam(groups, profile)

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        optimizer = training.optimizer
        assert optimizer is not None, "gradients are there once the optimiser is built"
        resets, since = divmod(training.step, max(1, round(self.every * training.total_steps)))
        if resets and since == 0:
            optimizer.state.clear()
        usual = training.keep(self, dict[str, _Usual])
        for name, (_, gradient) in with_gradients(training).items():
            self._steady(gradient, usual.setdefault(name, _Usual.of(gradient)))

    def _steady(self, gradient: Tensor, usual: _Usual) -> None:
        """Clip and scale a gradient; one that overflowed in fp16 leaves no trace in what is usual."""
        if not gradient.isfinite().all():
            return
        usual.steps += 1
        largest = gradient.abs().max()
        limit = usual.largest.lerp_(largest, 1 - self.gamma3) / (1 - self.gamma3**usual.steps)
        gradient.copy_(torch.where(gradient.abs() > limit, gradient / largest * limit, gradient))
        norm = gradient.norm()
        mean = usual.norm.lerp_(norm, 1 - self.gamma1) / (1 - self.gamma1**usual.steps)
        square = usual.square.lerp_(norm.square(), 1 - self.gamma2) / (1 - self.gamma2**usual.steps)
        gradient.mul_(mean / (square.sqrt() + TINY) / norm.clamp_min(torch.finfo(norm.dtype).tiny))


@dataclass(eq=False)
class _Usual:
    """The averages of a tensor's largest element, norm and squared norm, and how many gradients they are of."""

    largest: Tensor
    norm: Tensor
    square: Tensor
    steps: int = 0

    @classmethod
    def of(cls, gradient: Tensor) -> _Usual:
        largest, norm, square = gradient.new_zeros(3).unbind()
        return cls(largest, norm, square)
