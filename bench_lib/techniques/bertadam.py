"""The negative control: Adam as the first BERT code had it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from bench_lib.spec import Profile, Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.optimizers import decoupled_adam
from bench_lib.techniques.training import Group


@dataclass(frozen=True)
class BertAdam(Technique):
    """AdamW without bias correction and without warm-up, which takes its largest steps first.

    theta <- theta - lr * (m / (sqrt(v) + eps) + wd * theta),  m and v not divided by 1 - beta^t

    Devlin et al. 2019, as released; Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 4, show the
    damage. The warm-up is left out after the catalogue's negative control (three epochs, no warm-up).
    """

    name: ClassVar[str] = "bertadam"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "Devlin et al. 2019, arXiv:1810.04805; Zhang et al. 2021, arXiv:2006.05987"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"bias_correction": True, "warmup": True}

    bias_correction: bool = False
    warmup: bool = False

    def configure(self, profile: Profile) -> Profile:
        return profile if self.warmup else dataclasses.replace(profile, warmup=0.0)

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        optimizer = decoupled_adam(groups, profile)
        if not self.bias_correction:
            _undo_bias_correction(optimizer)
        return optimizer


def _undo_bias_correction(optimizer: torch.optim.Optimizer) -> None:
    """Make each step of an AdamW the uncorrected one, by scaling the settings that the step reads.

    With c1 = 1 - beta1^t and c2 = 1 - beta2^t, the corrected step at rate lr * c1 / sqrt(c2) and eps / sqrt(c2) is
    lr * m / (sqrt(v) + eps); the decay, which is multiplied by the rate, is divided by the same factor. The fused
    update of torch stays in use.
    """
    saved: list[dict[str, Any]] = []

    def scale(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for group in optimizer.param_groups:
            saved.append({key: group[key] for key in ("lr", "eps", "weight_decay")})
            beta1, beta2 = group["betas"]
            # A parameter without a gradient has no state; those with one have all made the same number of steps.
            done = next((optimizer.state[p]["step"] for p in group["params"] if optimizer.state.get(p)), 0)
            t = float(done) + 1
            c1, root = 1 - beta1**t, (1 - beta2**t) ** 0.5
            group["lr"] *= c1 / root
            group["eps"] /= root
            group["weight_decay"] *= root / c1

    def restore(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for group, values in zip(optimizer.param_groups, saved, strict=True):
            group.update(values)
        saved.clear()

    optimizer.register_step_pre_hook(scale)
    optimizer.register_step_post_hook(restore)
