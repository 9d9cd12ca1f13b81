"""Child-Tuning, task-free: each step trains another random part of the network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique

LEVELS = 2**16


@dataclass(frozen=True)
class ChildTuningF(
    Technique,
    name="child_tuning_f",
    family="regularisation",
    paper="Xu et al. 2021, arXiv:2109.05687",
    identity={"p": 1.0},
    supersedes={"clip_value+": "the few values that are clipped are masked afterwards"},
    space={"p": (0.2, 0.3, 0.4)},  # of the first author's answer, alibaba/AliceMind issue 28
    no_trimming="it draws a number for every weight, so that other rows would change what is drawn",
):
    """A random part of the gradient is kept at each step and scaled up, so that its expectation stays the same.

    g <- g * M / p,  M ~ Bernoulli(p) for each element, drawn anew at each step

    Xu et al. 2021, "Raise a Child in Large Language Model", section 3.1; p 0.3 is that of their script. All parameters
    are masked, the new head too, as in their code. The harness clips after the mask, the authors before it. p is taken
    to the nearest 1/65,536, in mask and division alike.
    Source: alibaba/AliceMind:ChildTuning/ChildTuningOptimizer.py and run.sh.
    """

    p: float = bounded(0.3, "(0, 1]")

    def after_backward(self, training: Training) -> None:
        if self.p == 1:
            return
        gradients = [gradient for _, gradient in with_gradients(training).values()]
        with training.seeded("dropout", self.name, training.step):
            flat = draw_mask(sum(g.numel() for g in gradients), self._kept, gradients[0].device)
        masks = torch.split(flat, [g.numel() for g in gradients])
        for gradient, mask in zip(gradients, masks, strict=True):
            gradient.mul_(mask.view_as(gradient))
        torch._foreach_mul_(gradients, LEVELS / self._kept)

    @property
    def _kept(self) -> int:
        """p in units of 1 / 65,536."""
        return min(max(round(self.p * LEVELS), 1), LEVELS - 1)


def draw_mask(size: int, kept: int, device: torch.device) -> Tensor:
    """A mask from torch's global generator on the device, each element true with probability `kept` / 65,536.

    Four elements from each 64-bit random number; `bernoulli_` draws one for each, which doubles the time of a step.
    """
    drawn = torch.empty(-(-size // 4), dtype=torch.int64, device=device).random_(-(2**63), None)
    return drawn.view(torch.int16)[:size] < kept - LEVELS // 2
