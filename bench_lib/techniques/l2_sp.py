"""Decay towards the pre-trained weights instead of towards zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.anchors import anchors, pull, without_decay
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Group, Training


@dataclass(frozen=True)
class L2SP(Technique):
    """Pull embeddings and blocks back to where they started, decoupled from the gradient; not pooler or head.

    theta <- theta - lr * strength * (theta - theta_pretrained), in place of the decay towards zero

    Li et al. 2018, "Explicit Inductive Bias for Transfer Learning", equation 3, in the decoupled form that Zhang et al.
    2021 call pre-trained weight decay; strength 0.01 after Du & Nguyen 2023. `wd_pre` is the same update under the
    name and with the strength of Zhang et al.
    """

    name: ClassVar[str] = "l2_sp"
    family: ClassVar[str] = "regularisation"
    paper: ClassVar[str] = "Li et al. 2018, arXiv:1802.01483; Zhang et al. 2021, arXiv:2006.05987"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"strength": 0.0}

    strength: float = 0.01

    def __post_init__(self) -> None:
        require(0 <= self.strength <= 1000, "l2_sp:strength", self.strength, "0 to 1000")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        return without_decay(groups, training, self.name) if self.strength else groups

    def after_update(self, training: Training) -> None:
        if self.strength:
            pull(training, training.keep(self, lambda: anchors(training)), self.strength)
