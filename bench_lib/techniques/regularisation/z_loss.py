"""z-loss: the normaliser of the softmax should stay near 1."""

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
class ZLoss(
    Technique,
    name="z_loss",
    family="regularisation",
    paper="Chowdhery et al. 2022, arXiv:2204.02311",
    identity={"weight": 0.0},
    space={"weight": (1e-4, 1e-3, 1e-2, 1e-1)},  # our choice above 1e-4
    trimmable=True,
):
    """Cross-entropy and a penalty on the softmax's normaliser, so that logits do not drift away together.

    L = CE + weight * mean over rows of (log Z)^2,  Z = sum over k of exp(logit_k)

    Chowdhery et al. 2022, "PaLM: Scaling Language Modeling with Pathways", section 5, weight 1e-4, from pre-training
    with a vocabulary of 256,000 words. A task with few classes has a log Z near the logarithm of their number, and
    there 1e-4 is next to nothing; so tune it. Start and end of answer spans are averaged.
    Source: google-research/t5x:t5x/losses.py for the loss; Chowdhery et al. 2022 for the weight, which is not verified.
    """

    weight: float = bounded(1e-4, "[0, inf)")

    def declines(self, task_format: Format) -> str | None:
        if task_format.labels_sets:
            return "the normaliser of a sigmoid has one logit only, so that no logits can drift together"
        return "a number has no softmax whose normaliser could drift" if task_format.predicts_numbers else None

    def loss(self, output: Output) -> Tensor:
        losses = [F.cross_entropy(*pair) for pair in zip(output.logits, output.targets, strict=True)]
        if self.weight:
            # A position that cannot be chosen has a logit of -inf, and no part in Z.
            penalties = [logits.logsumexp(-1).square().mean() for logits in output.logits]
            losses = [loss + self.weight * penalty for loss, penalty in zip(losses, penalties, strict=True)]
        return torch.stack(losses).mean()
