"""Latest weight averaging: the mean of the latest checkpoints."""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

Copies: TypeAlias = deque[tuple[int, list[Tensor]]]


@dataclass(frozen=True)
class LAWA(
    Technique,
    name="lawa",
    family="optimisation",
    paper="Kaddour 2022, arXiv:2209.14981",
    identity={"checkpoints": 1},
    observer=True,
    space={
        "checkpoints": (5, 6, 10),  # 5 and 10 as in the authors' scripts, 6 our choice
        "every": (0.02, 0.05, 0.1),  # our choice
    },
    trimmable=True,
):
    """Evaluate the mean of the present weights and the checkpoints before them; the training does not see it.

    mean = (theta_T + theta_{T-d} + ... + theta_{T-(k-1)d}) / k,  T = steps of the run, d = every * T, k = checkpoints

    Kaddour 2022, "Stop Wasting My Time!": the k latest checkpoints, one an epoch. The authors' scripts average 5 for
    ResNet-50 and 10 for RoBERTa, and their scheduler 10, one every 1,000 steps; 6 is our choice, and that of others. A
    short run has few epochs: a checkpoint every 0.05 of the run is our choice. Earlier evaluations take the latest
    checkpoints there are. It keeps k copies of the weights in training.
    Source: JeanKaddour/LAWA:lawa.py, README.md, imagenet/reproduce_results.sh and bert/reproduce_results.sh.
    """

    checkpoints: int = bounded(6, "[1, inf]", "1 (the last weights) or more")
    every: float = bounded(0.05, "(0, 1]", "a share of the run, above 0, at most 1")

    def _distance(self, steps: int) -> int:
        """Updates between two checkpoints, by the number of steps of the run."""
        return max(1, round(self.every * steps))

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        step = training.step + 1
        left = training.total_steps - step
        # The present weights need no copy.
        if self.checkpoints > 1 and left and left % self._distance(training.total_steps) == 0:
            self._add(step, training)

    @torch.no_grad()
    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        current = list(training.trainable().values())
        copies = [tensors for step, tensors in self._copies(training) if step < training.step]
        earlier = copies[len(copies) - min(len(copies), self.checkpoints - 1) :]
        if not earlier:
            return nullcontext()
        means = [p.detach().clone() for p in current]
        for number, tensors in enumerate(earlier, start=2):
            torch._foreach_lerp_(means, tensors, 1 / number)
        return weights_replaced(current, means)

    def _add(self, step: int, training: Training) -> None:
        current, copies = [p.detach() for p in training.trainable().values()], self._copies(training)
        if len(copies) < self.checkpoints:
            copies.append((step, [p.clone() for p in current]))
            return
        oldest = copies.popleft()[1]
        torch._foreach_copy_(oldest, current)
        copies.append((step, oldest))

    def _copies(self, training: Training) -> Copies:
        return training.keep(self, deque)
