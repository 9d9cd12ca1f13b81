"""Decay towards the pre-trained weights instead of towards zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench_lib.errors import Unsupported, require
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Group, Training


@dataclass(frozen=True)
class L2SP(Technique):
    """Pull embeddings and blocks back to where they started, decoupled from the gradient; not pooler or head.

    theta <- theta - lr * strength * (theta - theta_pretrained), in place of the decay towards zero

    Li et al. 2018, "Explicit Inductive Bias for Transfer Learning", equation 3, in the decoupled form that Zhang et al.
    2021 call pre-trained weight decay; strength 0.01 after Du & Nguyen 2023 (Zhang et al. take 1e-3).
    """

    name: ClassVar[str] = "l2_sp"
    family: ClassVar[str] = "regularisation"
    paper: ClassVar[str] = "Li et al. 2018, arXiv:1802.01483; Zhang et al. 2021, arXiv:2006.05987"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"strength": 0.0}

    strength: float = 0.01

    def __post_init__(self) -> None:
        require(0 <= self.strength <= 1000, "l2_sp:strength", self.strength, "0 to 1000")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        if self.strength == 0:
            return groups
        split: list[Group] = []
        for group in groups:
            pulled = {n: p for n, p in group.parameters.items() if _has_start(n, training)}
            others = {n: p for n, p in group.parameters.items() if n not in pulled}
            split += [replace(group, parameters=pulled, weight_decay=0.0), replace(group, parameters=others)]
        if not any(_has_start(name, training) for name in training.trainable()):
            raise Unsupported("l2_sp finds no parameter in training that has a pre-trained value to be pulled to")
        return [group for group in split if group.parameters]

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        rates = training.learning_rates()
        for parameter, start in training.keep(self, lambda: self._anchors(training)):
            parameter.lerp_(start, rates[id(parameter)] * self.strength)

    def _anchors(self, training: Training) -> list[tuple[nn.Parameter, Tensor]]:
        if self.strength == 0:
            return []
        return [
            (parameter, training.pretrained[name].to(parameter.device))
            for name, parameter in training.trainable().items()
            if _has_start(name, training)
        ]


def _has_start(name: str, training: Training) -> bool:
    return training.anatomy.is_pretrained(name) and name in training.pretrained
