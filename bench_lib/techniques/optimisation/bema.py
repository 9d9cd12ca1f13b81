"""Bias-corrected exponential moving average of the weights."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class BEMA(
    Technique,
    name="bema",
    family="optimisation",
    paper="Block & Zhang 2025, arXiv:2508.00180",
    identity={"ema_power": 0.0, "bias_power": float("inf")},
    observer=True,
    space={
        "ema_power": (0.3, 0.5, 0.7),  # our choice but for 0.5
        "bias_power": (0.0, 0.2, 0.4, 0.6),  # our choice but for 0.2
    },
    trimmable=True,
):
    """Evaluate an average of the weights, moved ahead so that it does not lag; the training does not see it.

    average <- (1 - b) * average + b * theta,  evaluated: average + a * (theta - theta_1),  after update t:
    a = (lag + t)^-bias_power,  b = (lag + t)^-ema_power,  theta_1 and the first average: after the first update

    Block & Zhang 2025, "EMA Without the Lag: Bias-Corrected Iterate Averaging Schemes", algorithm 1, with the powers
    and the lag of the authors' code. Theirs averages every 400 updates, which are whole runs here; every update is our
    choice, so that the average covers fewer of them. They begin before the first update, which an observer does not
    see; with a warm-up from a rate of 0 that is the same.
    Source: abblock/bema:hydra_configs/stabilizer/bema.yaml; huggingface/trl:trl/trainer/callbacks.py.
    """

    ema_power: float = bounded(0.5, "[0, inf)")
    bias_power: float = bounded(0.2, "[0, inf]", "0 or more; inf for no correction")
    lag: int = bounded(10, "[1, inf]")

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        state = training.keep(self, lambda: _Average.of(training))
        state.updates += 1
        age = self.lag + state.updates
        torch._foreach_lerp_(state.means, list(training.trainable().values()), age**-self.ema_power)
        state.ahead = age**-self.bias_power

    @torch.no_grad()
    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        state = training.keep(self, lambda: _Average.of(training))
        weights = training.trainable().values()
        values = zip(weights, state.first, state.means, strict=True)
        return weights_replaced(weights, [mean + state.ahead * (now - first) for now, first, mean in values])


@dataclass(eq=False)
class _Average:
    first: list[Tensor]
    means: list[Tensor]
    updates: int = 0
    ahead: float = 0.0

    @classmethod
    def of(cls, training: Training) -> _Average:
        first, means = ([p.detach().clone() for p in training.trainable().values()] for _ in range(2))
        return cls(first, means)
