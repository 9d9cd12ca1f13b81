"""LR-Drop: two dropout masks should agree in every layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Output, Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import disagreement
from bench_lib.techniques.toolkit.dropout_rates import need_dropout


@dataclass(frozen=True)
class LRDrop(
    Technique,
    name="lr_drop",
    family="regularisation",
    paper="Ni et al. 2024, arXiv:2402.16361",
    identity={"hidden": 0.0, "output": 0.0},
    space={
        "hidden": (0.1, 0.5, 1.0, 5.0),  # our choice
        "output": (0.0, 0.5, 1.0),  # our choice
    },
    trimmable=True,
):
    """Each batch passes twice under different dropout masks; hidden states of all blocks and predictions shall agree.

    L = (CE_1 + CE_2) / 2 + hidden * mean over blocks of mean((h_1 - h_2)^2)
        + output * (KL(p_1 || p_2) + KL(p_2 || p_1)) / 2

    Ni et al. 2024, "Layer-wise Regularized Dropout for Neural Language Models". Their third term, between attention
    matrices, is left out: the models give those after their own dropout, and what two masks of one matrix differ by is
    no fault that a training could mend. Their weights could not be read; 1 for both, and means over blocks, tokens but
    for padding, and units, are our choice. At 0 and 0 it is the baseline, with one pass.
    Source: Ni et al. 2024 for the idea.
    """

    hidden: float = bounded(1.0, "[0, inf)")
    output: float = bounded(1.0, "[0, inf)")

    @property
    def _twice(self) -> bool:
        return bool(self.hidden or self.output)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self._twice else (1, 1)

    def prepare(self, training: Training) -> None:
        if self._twice:
            need_dropout(training, self.name)

    def backward(self, step: Step) -> Tensor:
        first = step.forward(hidden=bool(self.hidden))
        loss = step.loss(first)
        if self._twice:
            second = step.forward(repeat=1, hidden=bool(self.hidden))
            loss = (loss + step.loss(second)) / 2 + self.output * disagreement(first, second)
            if self.hidden:
                loss = loss + self.hidden * _distance(first, second, step.real_tokens | first.places)
        step.backward(loss)
        return loss.detach()


def _distance(first: Output, second: Output, tokens: Tensor) -> Tensor:
    """The mean squared difference of the blocks' outputs at these tokens, a mask of (batch, length)."""
    blocks = zip(first.hidden[1:], second.hidden[1:], strict=True)
    return torch.stack([(a[tokens].float() - b[tokens].float()).square().mean() for a, b in blocks]).mean()
