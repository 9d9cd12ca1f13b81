"""The negative control: Adam as the first BERT code had it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.technique import Technique

TorchGroup = dict[str, Any]
"""A parameter group as torch keeps it."""


@dataclass(frozen=True)
class BertAdam(
    Technique,
    name="bertadam",
    family="baselines",
    paper="Devlin et al. 2019, arXiv:1810.04805; Zhang et al. 2021, arXiv:2006.05987",
    identity={"bias_correction": True, "warmup": True},
    space={"warmup": (False, True)},  # True as in google-research/bert:run_classifier.py
    trimmable=True,
):
    """AdamW without bias correction and without warm-up, which takes its largest steps first.

    theta <- theta - lr * (m / (sqrt(v) + eps) + wd * theta),  m and v not divided by 1 - beta^t

    Devlin et al. 2019, as released; Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 4, show the
    damage. The released code can warm up; as a negative control this one does not.
    Source: google-research/bert:optimization.py.
    """

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
    groups: list[list[TorchGroup]] = []

    def scale(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        groups.append(optimizer.param_groups)
        optimizer.param_groups = [part for group in optimizer.param_groups for part in _uncorrected(group, optimizer)]

    def restore(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        optimizer.param_groups = groups.pop()

    optimizer.register_step_pre_hook(scale)
    optimizer.register_step_post_hook(restore)


def _uncorrected(group: TorchGroup, optimizer: torch.optim.Optimizer) -> Iterator[TorchGroup]:
    """A group split by age, since parameters that were thawed later have made fewer steps."""
    stepped = [p for p in group["params"] if optimizer.state.get(p)]
    done = torch.stack([optimizer.state[p]["step"] for p in stepped]).tolist() if stepped else []
    ages = dict(zip(map(id, stepped), done, strict=True))
    beta1, beta2 = group["betas"]
    for age in sorted(set(done) | {ages.get(id(p), 0.0) for p in group["params"]}):
        c1, root = 1 - beta1 ** (age + 1), (1 - beta2 ** (age + 1)) ** 0.5
        yield {
            **group,
            "params": [p for p in group["params"] if ages.get(id(p), 0.0) == age],
            "lr": group["lr"] * (c1 / root),
            "eps": group["eps"] / root,
            "weight_decay": group["weight_decay"] * (root / c1),
        }
