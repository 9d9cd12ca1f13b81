"""The optimiser of the baseline, which techniques may start from."""

from __future__ import annotations

from typing import Any

import torch

from bench_lib.spec import Profile
from bench_lib.techniques.training import Group


def parameter_groups(groups: list[Group]) -> list[dict[str, Any]]:
    """Groups as torch's optimisers take them."""
    return [
        {"params": list(g.parameters.values()), "lr": g.learning_rate, "weight_decay": g.weight_decay} for g in groups
    ]


def decoupled_adam(groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
    """AdamW with bias correction (Loshchilov & Hutter 2019), all parameters updated in one fused call."""
    return torch.optim.AdamW(
        parameter_groups(groups), betas=(profile.beta1, profile.beta2), eps=profile.eps, fused=True
    )
