"""SCL: texts of a class should lie close together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class SCL(
    Technique,
    name="scl",
    family="regularisation",
    paper="Gunel et al. 2021, arXiv:2011.01403",
    identity={"weight": 0.0},
    space={
        "weight": (0.1, 0.3, 0.5, 0.7, 0.9),  # not verified
        "tau": (0.1, 0.3, 0.5, 0.7),  # not verified
    },
    trimmable=True,
):
    """A supervised contrastive loss on the last hidden states beside the cross-entropy.

    L = (1 - weight) * CE + weight * mean over rows i of SCL_i,  SCL_i = -mean over the other rows j of i's class of
    log(exp(h_i h_j / tau) / sum over k != i of exp(h_i h_k / tau)),  h the hidden state over its l2 norm;  SCL_i = 0
    where i is alone in its class

    Gunel et al. 2021, "Supervised Contrastive Learning for Pre-trained Language Model Fine-tuning"; tau 0.3 and weight
    0.9. They write a sum over the rows; the mean is our choice, so that the balance does not depend on the size of the
    batch; but a small one has few rows of a class to pull together. The hidden state is [CLS]'s for whole texts, or the
    last token's in a causal model, and the first token's for words.
    Source: Gunel et al. 2021; tau, weight and the values to tune over are not verified.
    """

    weight: float = bounded(0.9, "[0, 1]")
    tau: float = bounded(0.3, "(0, inf]")

    def declines(self, task_format: Format) -> str | None:
        if task_format.labels_sets:
            return "two texts may share some of their labels, where the loss knows the same class and another one"
        if task_format.predicts_numbers:
            return "numbers are no classes that a batch could share"
        return None if task_format.predicts_labels else "answers have no classes that a batch could share"

    def backward(self, step: Step) -> Tensor:
        output = step.forward(hidden=bool(self.weight))
        loss = step.loss(output)
        if self.weight:
            contrast = contrastive_loss(output.features(), output.targets[0], self.tau)
            loss = (1 - self.weight) * loss + self.weight * contrast
        step.backward(loss)
        return loss.detach()


def contrastive_loss(features: Tensor, targets: Tensor, tau: float) -> Tensor:
    """Mean of SCL_i over the rows, in fp32; features of shape (rows, hidden), of any length but 0."""
    unit = F.normalize(features.float(), dim=-1)
    with torch.autocast(unit.device.type, enabled=False):
        cosines = unit @ unit.T  # (rows, rows)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (cosines / tau).masked_fill(itself, -torch.inf)
    same = (targets[:, None] == targets) & ~itself
    agreement = torch.where(same, similarity.log_softmax(-1), 0.0).sum(-1) / same.sum(-1).clamp_min(1)
    return -agreement.mean()
