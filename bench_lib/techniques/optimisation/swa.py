"""Stochastic weight averaging: the mean of the last weights."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class SWA(
    Technique,
    name="swa",
    family="optimisation",
    paper="Izmailov et al. 2018, arXiv:1803.05407",
    identity={"share": 0.0},
    observer=True,
    space={"share": (0.1, 0.25, 0.5)},  # 0.25 as in section 3.2, the rest our choice
    trimmable=True,
):
    """Evaluate the mean of the weights after each of the last updates; the training does not see it.

    mean <- mean + (theta - mean) / n  after the n-th of the last share * steps updates

    Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section 3.2: share 0.25, as in torch's guide to
    their method. Theirs averages once an epoch at a high rate; an observer leaves the schedule as it is, and a short
    run has few epochs, so every update counts. Before the averaging starts it is the weights.
    Source: section 3.2 as quoted by public code after the paper: plain training for some 75 % of the steps.
    """

    share: float = bounded(0.25, "[0, 1]", "0 (the last weights) to 1 (all updates)")

    def _averaged(self, steps: int) -> int:
        """The number of averaged updates of a run, at least one unless the share is 0."""
        return max(1, round(self.share * steps)) if self.share else 0

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        number = training.step + 1 - self._start(training)
        if number >= 1:
            torch._foreach_lerp_(self._means(training), list(training.trainable().values()), 1 / number)

    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        if training.step <= self._start(training):
            return nullcontext()
        return weights_replaced(training.trainable().values(), self._means(training))

    def _start(self, training: Training) -> int:
        """The updates before the first that is averaged."""
        return training.total_steps - self._averaged(training.total_steps)

    def _means(self, training: Training) -> list[Tensor]:
        return training.keep(self, lambda: [p.detach().clone() for p in training.trainable().values()])
