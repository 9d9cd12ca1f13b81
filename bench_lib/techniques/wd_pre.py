"""Pre-trained weight decay, as its authors name and set it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.anchors import anchors, pull, with_start, without_decay
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Group, Training


@dataclass(frozen=True)
class WdPre(Technique):
    """Decoupled weight decay whose target is the pre-trained weights, for embeddings and blocks; not pooler or head.

    theta <- theta - lr * strength * (theta - theta_pretrained), in place of the decay towards zero

    Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 6; strength 1e-3 is theirs as the catalogue has
    it (not checked against their appendix).
    """

    name: ClassVar[str] = "wd_pre"
    family: ClassVar[str] = "regularisation"
    paper: ClassVar[str] = "Zhang et al. 2021, arXiv:2006.05987"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"strength": 0.0}

    strength: float = 1e-3

    def __post_init__(self) -> None:
        require(0 <= self.strength <= 1000, "wd_pre:strength", self.strength, "0 to 1000")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        return without_decay(groups, self._pulled(training)) if self.strength else groups

    def after_update(self, training: Training) -> None:
        if self.strength:
            anchored = training.keep(self, lambda: anchors(training, self._pulled(training)))
            pull(training, anchored, self.strength)

    def _pulled(self, training: Training) -> dict[str, nn.Parameter]:
        return {n: p for n, p in with_start(training, self.name).items() if training.anatomy.is_pretrained(n)}
