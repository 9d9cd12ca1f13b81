"""RecAdam: first remember the pre-trained weights, then learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.pretrained_anchors import Anchors, anchors, pull, with_start, without_decay

REFERENCE_STEPS = 10_000
"""The length of run for which k and t0 are quoted."""
SHARE = "learning_share"
"""Entry of a parameter group: the share of Adam's step that is taken."""


@dataclass(frozen=True)
class RecAdam(
    Technique,
    name="recadam",
    family="regularisation",
    paper="Chen et al. 2020, arXiv:2004.12651",
    identity={"k": math.inf, "t0": 0.0},
    supersedes=dict.fromkeys(("l2_sp", "wd_pre"), "in few steps it pulls no more, and the decay is left out by both"),
    version="2",  # recalls the pooler too, and for a tenth of the run; version 1 for a fortieth
    space={"k": (0.05, 0.1, 0.2, 0.5, 1.0), "t0": (100.0, 250.0, 500.0, 1000.0)},
    trimmable=True,
):
    """The objective moves from staying at the pre-trained weights to the task; the new head learns from the start.

    theta <- theta - lr * lambda(t) * adam_step,  then
    theta <- theta - lr * (1 - lambda(t)) * gamma * (theta - theta_pretrained),
    lambda(t) = 1 / (1 + exp(-k * (t - t0))),  t counted as if the run had 10,000 steps; no decay towards zero

    Chen et al. 2020, "Recall and Learn", section 3. As in their code, every parameter of the body is recalled: biases,
    norms and a pre-trained pooler too. It fixes gamma at 5000 and searches k over 0.05, 0.1, 0.2, 0.5 and 1 and t0 over
    250, 500 and 1000, for small tasks with ALBERT 100, 250 and 500, in runs of 5,000 steps and more; their example for
    BERT has 1 and 1000 in 9,000 steps. A short run would be over before t0, so t is scaled to the length of the run, as
    if it had 10,000 steps (our choice): a tenth of it is recall. A pull of more than the whole way, at rates above
    2e-4, is cut to the way.
    Source: Sanyuan-Chen/RecAdam:RecAdam.py, run_glue_with_RecAdam.py and README.md.
    """

    gamma: float = bounded(5000.0, "[0, inf)")
    k: float = bounded(1.0, "(0, inf]", "above 0; inf for a switch at t0")
    t0: float = bounded(1000.0, "[0, inf)")

    def _learning_share(self, step: int, steps: int) -> float:
        """lambda at the update of a step, counted from 0, by the number of steps of the run."""
        late = (step + 1) * REFERENCE_STEPS / steps - self.t0
        # The logistic function by tanh, which does not overflow; inf * 0 would be NaN.
        return (1 + math.tanh(self.k * late / 2)) / 2 if late else 0.5

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        return groups if self._learns_only else without_decay(groups, with_start(training, self.name))

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        optimizer = decoupled_adam(groups, profile)
        _take_shares(optimizer)
        return optimizer

    def after_backward(self, training: Training) -> None:
        assert training.optimizer is not None, "gradients exist once the optimiser is built"
        share = self._learning_share(training.step, training.total_steps)
        pulled = {id(parameter) for parameter, _ in self._anchors(training)}
        for group in training.optimizer.param_groups:
            group[SHARE] = share if id(group["params"][0]) in pulled else 1.0

    def after_update(self, training: Training) -> None:
        share = self._learning_share(training.step, training.total_steps)
        pull(training, self._anchors(training), (1 - share) * self.gamma)

    @property
    def _learns_only(self) -> bool:
        return self.t0 == 0 and math.isinf(self.k)

    def _anchors(self, training: Training) -> Anchors:
        return training.keep(
            self, lambda: [] if self._learns_only else anchors(training, with_start(training, self.name))
        )


def _take_shares(optimizer: torch.optim.Optimizer) -> None:
    """Scale the rate by the group's share while the optimiser steps: without decay, that scales the step."""
    rates: list[float] = []

    def scale(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for group in optimizer.param_groups:
            rates.append(group["lr"])
            group["lr"] *= group.get(SHARE, 1.0)

    def restore(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        rates.clear()

    optimizer.register_step_pre_hook(scale)
    optimizer.register_step_post_hook(restore)
