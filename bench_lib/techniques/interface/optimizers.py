"""The baseline's optimiser, and parameter groups for other optimisers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group


def parameter_groups(groups: list[Group]) -> list[dict[str, Any]]:
    """Groups as torch's optimisers take them."""
    return [
        {"params": list(g.parameters.values()), "lr": g.learning_rate, "weight_decay": g.weight_decay} for g in groups
    ]


def rescaled(groups: list[Group], factor: float) -> list[Group]:
    """Groups at `factor` times their rate, for optimisers whose steps differ in size from Adam's.

    The decay, which is multiplied by the rate, is divided by the factor, and so stays as in the profile.
    """
    return [replace(g, learning_rate=g.learning_rate * factor, weight_decay=g.weight_decay / factor) for g in groups]


def decoupled_adam(groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
    """AdamW with bias correction (Loshchilov & Hutter 2019), all parameters updated in one fused call."""
    return torch.optim.AdamW(
        parameter_groups(groups), betas=(profile.beta1, profile.beta2), eps=profile.eps, fused=True
    )
