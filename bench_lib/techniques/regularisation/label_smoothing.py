"""Label smoothing: the truth is not quite certain."""

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
class LabelSmoothing(
    Technique,
    name="label_smoothing",
    family="regularisation",
    paper="Szegedy et al. 2016, arXiv:1512.00567",
    identity={"epsilon": 0.0},
    space={"epsilon": (0.05, 0.1, 0.2)},  # our choice
    trimmable=True,
):
    """Cross-entropy with a truth that leaves a little probability to every class.

    L = -sum over k of q_k * log p_k,  q = (1 - epsilon) * one-hot + epsilon / K,  K the classes that can be chosen

    Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", section 7, epsilon 0.1. For answer
    spans K counts the positions of a sequence that are not padding, and start and end are averaged. Of a set of labels
    each is a choice of its own, absent or present, with K 2.
    Source: Szegedy et al. 2016, section 7, with K 1,000 and epsilon 0.1 for ImageNet.
    """

    epsilon: float = bounded(0.1, "[0, 1)")

    def declines(self, task_format: Format) -> str | None:
        return "a number has no other classes that could get probability" if task_format.predicts_numbers else None

    def loss(self, output: Output) -> Tensor:
        pairs = zip(output.logits, output.targets, strict=True)
        return torch.stack([smoothed_cross_entropy(*pair, self.epsilon) for pair in pairs]).mean()


def smoothed_cross_entropy(logits: Tensor, targets: Tensor, epsilon: float) -> Tensor:
    """Mean over the rows; logits of -inf, (rows, classes), are classes that cannot be chosen and get no probability."""
    if not epsilon:
        return F.cross_entropy(logits, targets)
    possible = ~logits.isneginf()
    log_p = logits.log_softmax(-1)
    # 0 * -inf is not a number, so the classes without probability are left out instead of weighted with 0.
    spread = torch.where(possible, log_p, 0.0).sum(-1) / possible.sum(-1)
    return (1 - epsilon) * F.nll_loss(log_p, targets) - epsilon * spread.mean()
