"""A penalty on the distance from the pre-trained weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.pretrained_anchors import anchors, matrices, with_start, without_decay

Penalties = list[tuple[nn.Parameter, Tensor, float]]
"""Parameters, each with its anchor and strength."""


@dataclass(frozen=True)
class L2SP(
    Technique,
    name="l2_sp",
    family="regularisation",
    paper="Li et al. 2018, arXiv:1802.01483",
    identity={"alpha": 0.0, "beta": 0.0},
    version="2",  # a part of the gradient, where version 1 was a decay that fp32 mostly rounded away
    space={"alpha": (1e-3, 1e-2, 1e-1, 1.0)},  # 0.1 as in their script, the rest our choice
    trimmable=True,
):
    """The loss penalises how far the body is from its pre-trained weights, and how far the head is from zero.

    g <- g + alpha * (theta - theta_pretrained) in the body,  g <- g + beta * theta in the head: the gradient of
    L + alpha / 2 * ||theta - theta_pretrained||^2 + beta / 2 * ||theta_head||^2

    Li et al. 2018, "Explicit Inductive Bias for Transfer Learning", equation 3. As in their code the penalty is on
    matrices, not on biases and norms, and alpha 0.1 and beta 0.01 are those of their script; what is penalised does not
    decay towards zero as well. A pooler that was pre-trained counts as body, any other as head. They set alpha for SGD
    with momentum at a rate of 0.01 and without clipping, where a step pulls by lr * alpha. Adam cancels the scale of a
    gradient, so that here the size of alpha * (theta - theta_pretrained) beside the loss's own gradient counts: some
    1e-4 for each of 1e8 weights where the norm is clipped at 1. So alpha has to be tuned, over powers of ten. The
    penalty is added before the clipping, and the recorded loss is without it.
    Source: holyseven/TransferLearningClassification:model/network_base.py and run_classification/train.sh.
    """

    alpha: float = bounded(0.1, "[0, inf)")
    beta: float = bounded(0.01, "[0, inf)")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        penalised = {**self._body(training), **self._head(training)}
        return without_decay(groups, penalised) if penalised else groups

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        for parameter, point, strength in training.keep(self, lambda: self._penalties(training)):
            if parameter.grad is not None:
                parameter.grad.add_(parameter - point, alpha=strength)

    def _penalties(self, training: Training) -> Penalties:
        body = [(p, start, self.alpha) for p, start in anchors(training, self._body(training))]
        return body + [(p, torch.zeros_like(p[:1]), self.beta) for p in self._head(training).values()]

    def _body(self, training: Training) -> dict[str, nn.Parameter]:
        return with_start(training, self.name, matrices_only=True) if self.alpha else {}

    def _head(self, training: Training) -> dict[str, nn.Parameter]:
        """New matrices above the blocks, without those that other techniques add to blocks."""
        new = {n: p for n, p in matrices(training.trainable()).items() if n not in training.pretrained}
        layer, depth = training.architecture.layer_index, training.architecture.depth
        return {name: parameter for name, parameter in new.items() if self.beta and layer(name) > depth}
