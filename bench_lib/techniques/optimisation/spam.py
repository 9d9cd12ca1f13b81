"""SPAM: Adam that clips spikes and forgets its momentum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training, with_gradients
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.technique import Technique

UNCLIPPED = 20
"""Steps after a reset without clipping, at most, since the second moment is not yet known."""
SLOW = 0.3
"""The share of an interval in which the rate rises again."""
LOWEST = 0.01
"""The factor from which the rate rises."""


@dataclass(frozen=True)
class SPAM(
    Technique,
    name="spam",
    family="optimisation",
    paper="Huang et al. 2025, arXiv:2501.06842",
    identity={"threshold": float("inf"), "every": 1.0},
    supersedes={"lp_ft": "in few steps the moments begin anew where its second phase begins them anew"},
    space={
        "threshold": (500.0, 1000.0, 5000.0),  # our choice but for 5000
        "every": (0.1, 0.25, 0.5),  # our choice
    },
    trimmable=True,
):
    """AdamW whose moments begin anew at intervals, at a low rate, and in which no element of a gradient is a spike.

    g <- sign(g) * min(|g|, sqrt(threshold * v)),  v the second moment before this step, where it is not 0;  every
    D = every * steps updates  m <- 0, v <- 0,  and then  lr_k = lr * (1 - 0.99 * (1 + cos(pi k / (K + 1))) / 2)  for
    the k-th of K = 0.3 D updates

    Huang et al. 2025, "SPAM: Spike-Aware Adam with Momentum Reset for Stable LLM Training", dense; threshold 5,000 as
    in public ports. Their 500 updates between resets and 150 of a low rate are whole runs here: a quarter of the run,
    and the same share of that, are our choice. Nothing is clipped for 20 updates after a reset, or half of a shorter
    interval. What has no second moment, such as the embedding of a word not read since, is not clipped (our choice):
    it would never move. Bias correction goes on over resets. Decay has the low rate as well.
    Source: kozistr/pytorch_optimizer:pytorch_optimizer/optimizer/spam.py; the paper's settings are not verified.
    """

    threshold: float = bounded(5000.0, "(0, inf]", "above 0; inf for no clipping")
    every: float = bounded(0.25, "(0, 1]", "a share of the steps, above 0, at most 1")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return decoupled_adam(groups, profile)

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        optimizer = training.optimizer
        assert optimizer is not None, "gradients are there once the optimiser is built"
        interval = max(1, round(self.every * training.total_steps))
        resets, since = divmod(training.step, interval)
        moments = {p: state for p, state in optimizer.state.items() if "exp_avg_sq" in state}
        for state in moments.values() if resets and since == 0 else ():
            torch._foreach_zero_([state["exp_avg"], state["exp_avg_sq"]])
        if math.isfinite(self.threshold) and since >= min(UNCLIPPED, math.ceil(interval / 2)):
            for parameter, gradient in with_gradients(training).values():
                if parameter in moments:
                    _clip(gradient, moments[parameter]["exp_avg_sq"] * self.threshold)
        rising = round(SLOW * interval)
        if resets and since < rising:
            # The schedule sets the rate anew for each step.
            for group in optimizer.param_groups:
                group["lr"] *= 1 - (1 - LOWEST) * (1 + math.cos(math.pi * (since + 1) / (rising + 1))) / 2


def _clip(gradient: Tensor, largest: Tensor) -> None:
    """Bring squares down to the largest ones allowed, where these are not 0."""
    spikes = (largest > 0) & (gradient.square() > largest)
    gradient.copy_(torch.where(spikes, gradient.sign() * largest.sqrt(), gradient))
