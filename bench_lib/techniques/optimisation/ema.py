"""Exponential moving average of the weights."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

REFERENCE_STEPS = 10_000
"""The number of steps that the decay refers to."""


@dataclass(frozen=True)
class EMA(
    Technique,
    name="ema",
    family="optimisation",
    paper="Polyak & Juditsky 1992, doi:10.1137/0330046",
    identity={"decay": 0.0},
    version="2",  # evaluated at the end only, where version 1 was evaluated all along
    observer=True,
    space={"decay": (0.99, 0.999, 0.9999)},  # our choice
    trimmable=True,
):
    """Evaluate a moving average of the weights instead of the last ones; the training does not see it.

    average <- d * average + (1 - d) * theta after each update,  d = decay^(10,000 / steps of the run),
    from the weights after the first update on

    After Polyak & Juditsky 1992, who take the plain mean of all weights on the way; the exponential form, and decay
    0.999 for runs of some 10,000 steps, are our choice. A short run would never leave its starting point with it, so
    the decay is scaled to average over the same share of the run. Rounding in fp32 takes away at most 3e-4 of the
    distance between average and weights.
    """

    decay: float = bounded(0.999, "[0, 1)")

    def _scaled(self, steps: int) -> float:
        """The decay of one update, by the number of steps of the run."""
        return float(self.decay ** (REFERENCE_STEPS / steps))

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        weight = 1 - self._scaled(training.total_steps)
        torch._foreach_lerp_(self._averages(training), list(training.trainable().values()), weight)

    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        return weights_replaced(training.trainable().values(), self._averages(training))

    def _averages(self, training: Training) -> list[Tensor]:
        return training.keep(self, lambda: [p.detach().clone() for p in training.trainable().values()])
