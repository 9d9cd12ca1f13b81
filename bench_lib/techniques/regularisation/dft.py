"""Dynamic fine-tuning: what is improbable teaches less."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class DFT(
    Technique,
    name="dft",
    family="regularisation",
    paper="Wu et al. 2025, arXiv:2508.05629",
    identity={"power": 0.0},
    space={"power": (0.25, 0.5, 1.0)},  # our choice below 1
    trimmable=True,
):
    """The cross-entropy of each row is weighted with the probability that the model gives to its target.

    L = mean over rows of -sg(p)^power * log p,  p the target's probability, sg without a gradient

    Wu et al. 2025, "On the Generalization of SFT: A Reinforcement Learning Perspective with Reward Rectification",
    equation 9, for the tokens of an answer; the power is 1 there, others are our choice. The gradient is that of p
    itself: a target that the model holds for impossible, a wrong label among them, moves nothing. It is smaller than
    the baseline's, by half for two classes at the start. For answer spans start and end are averaged, of a
    set each label counts by itself.
    Source: yongliang-wu/DFT:verl/verl/trainer/fsdp_dft_trainer.py.
    """

    power: float = bounded(1.0, "[0, inf)")

    def declines(self, task_format: Format) -> str | None:
        return "a number has no probability that could weigh its loss" if task_format.predicts_numbers else None

    def loss(self, output: Output) -> Tensor:
        pairs = zip(output.logits, output.targets, strict=True)
        return torch.stack([self._rectified(*pair) for pair in pairs]).mean()

    def _rectified(self, logits: Tensor, targets: Tensor) -> Tensor:
        if not self.power:
            return F.cross_entropy(logits, targets)
        losses = F.cross_entropy(logits, targets, reduction="none")  # (rows,)
        return (losses * (-self.power * losses.detach()).exp()).mean()
