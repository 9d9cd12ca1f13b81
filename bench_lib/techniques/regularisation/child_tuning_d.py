"""Child-Tuning, task-driven: only the part of the network trains that matters most to the task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training, with_gradients
from bench_lib.techniques.interface.technique import Technique

Tensors = dict[str, Tensor]
"""A tensor for each parameter of the blocks, of its shape and by its name."""
CLIP = 1.0
"""The norm to which gradients are clipped before squaring, as by the authors."""


@dataclass(frozen=True)
class ChildTuningD(
    Technique,
    name="child_tuning_d",
    family="regularisation",
    paper="Xu et al. 2021, arXiv:2109.05687",
    identity={"p": 1.0},
    version="2",  # each tensor's gradient is clipped before it is squared, which version 1 did not
    space={"p": (0.1, 0.2, 0.3)},  # of the first author's answer, alibaba/AliceMind issue 28
    trimmable=True,
):
    """Of the blocks, only the elements with the largest Fisher information at the pre-trained weights get a gradient.

    F = mean of (g * min(1, 1 / ||g||))^2 over the training set before training, ||g|| that of the tensor;
    M = 1 for the share p of largest F and 0 elsewhere;  g <- g * M at each step

    Xu et al. 2021, "Raise a Child in Large Language Model", section 3.2; p 0.3 is that of their script. As in their
    code, g are gradients of batches with dropout, and not of single examples, so that F depends on the batch size;
    each tensor's is clipped to norm 1 before it is squared; and embeddings, pooler and head always train. The harness
    clips after the mask, the authors before it. Outside the mask, only the weight decay acts.
    Source: alibaba/AliceMind:ChildTuning/ChildTuningOptimizer.py and run.sh; RunxinXu/ChildTuning:ChildTuningD.py.
    """

    p: float = bounded(0.3, "(0, 1]")

    def passes_in_fp32(self) -> bool:
        return self.estimation_passes() != (0, 0)

    def estimation_passes(self) -> tuple[int, int]:
        return (0, 0) if self.p == 1 else (1, 1)

    def estimate(self, training: Training, steps: Iterable[Step]) -> None:
        if self.p < 1:
            training.keep(self, lambda: top_share(fisher(training, steps), self.p))

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        no_masks: Tensors = {}
        masks = training.keep(self, lambda: no_masks)
        found = [(gradient, masks[n]) for n, (_, gradient) in with_gradients(training).items() if n in masks]
        if found:
            torch._foreach_mul_([gradient for gradient, _ in found], [mask for _, mask in found])


def fisher(training: Training, steps: Iterable[Step]) -> Tensors:
    """The sum of squared gradients over the micro-batches, for trained blocks; its ranks are those of the mean.

    Each tensor's gradient is first clipped to a norm of 1.
    """
    blocks = _blocks(training)
    total = {name: torch.zeros_like(parameter) for name, parameter in blocks.items()}
    for step in steps:
        # In fp32 in any profile, since a gradient that overflows would be the largest information.
        step.backward(step.loss(step.forward(full_precision=True)))
        for name, parameter in blocks.items():
            if parameter.grad is not None:
                torch.nn.utils.clip_grad_norm_(parameter, CLIP)
                total[name].addcmul_(parameter.grad, parameter.grad)
        training.model.zero_grad(set_to_none=True)
    return total


def top_share(information: Tensors, p: float) -> Tensors:
    """1 for the share p of elements with the largest values over all tensors together, 0 for the others."""
    if not information:
        return {}
    values = torch.cat([tensor.flatten() for tensor in information.values()])
    kept = max(1, round(p * len(values)))
    threshold = values.kthvalue(len(values) - kept + 1).values
    return {name: (tensor >= threshold).to(tensor.dtype) for name, tensor in information.items()}


def _blocks(training: Training) -> dict[str, nn.Parameter]:
    architecture = training.architecture
    return {n: p for n, p in training.trainable().items() if 1 <= architecture.layer_index(n) <= architecture.depth}
