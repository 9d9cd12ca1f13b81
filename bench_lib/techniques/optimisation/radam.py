"""RAdam: a warm-up that follows from the variance of the second moment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import parameter_groups
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class RAdam(
    Technique,
    name="radam",
    family="optimisation",
    paper="Liu et al. 2020, arXiv:1908.03265",
    identity=None,
    no_identity="an optimiser of another rule; its test shows the published steps",
    space={"warmup": (False, True)},  # our choice
    trimmable=True,
):
    """AdamW whose step is scaled by the certainty of its second moment, in place of a warm-up.

    theta <- theta - lr * r_t * m_hat / (sqrt(v_hat) + eps),  r_t^2 = (rho_t - 4) (rho_t - 2) rho_inf /
    ((rho_inf - 4) (rho_inf - 2) rho_t),  rho_inf = 2 / (1 - beta2) - 1,  rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t);
    theta <- theta - lr * m_hat while rho_t <= 5, which is for 5 steps

    Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", algorithm 2, by torch with its settings
    and decoupled decay. The profile's warm-up is left out, since r_t takes its place: 0.2 after 100 steps, 0.4 after
    350, 0.65 after 1,000 with beta2 0.999, so that a short run stays slow; `warmup` keeps it.
    Source: torch.optim.RAdam. The paper has 4 in place of 5, as quoted by public code;
    LiyuanLucasLiu/RAdam:radam/radam.py has 5, and by default makes no step before.
    """

    warmup: bool = False

    def configure(self, profile: Profile) -> Profile:
        return profile if self.warmup else dataclasses.replace(profile, warmup=0.0)

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return torch.optim.RAdam(parameter_groups(groups), decoupled_weight_decay=True, foreach=True)
