"""FreeLB: adversarial steps whose gradients all count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.embedding_perturbation import (
    backward_at,
    gradient_at,
    steepest,
    uniform_noise,
    within,
)


@dataclass(frozen=True)
class FreeLB(
    Technique,
    name="freelb",
    family="adversarial",
    paper="Zhu et al. 2020, arXiv:1909.11764",
    identity={"norm": 0.0},
    space={"step": (0.02, 0.03, 0.04, 0.05, 0.06, 0.09, 0.1), "norm": (0.12, 0.14, 0.2, 0.3, 0.4, 0.6)},
    trimmable=True,
):
    """Train on the mean of the losses at all the shifts of the word embeddings on the way up to a bad one.

    L = mean of L(e + r_t) over t = 0 ... steps - 1,  r_(t+1) = P(r_t + step * g_t / ||g_t||),  g_t = dL/de at e + r_t,
    P the projection onto ||r|| <= norm;  r_0 ~ P(U(-1, 1) * init / sqrt(n d)), n real tokens of d values

    Zhu et al. 2020, "FreeLB", algorithm 1: the dropout masks are the same in all passes. 2 steps of 0.1, init 1 and
    norm 0.6 are theirs for SST-2 with RoBERTa-large. Source:
    zhuchen03/FreeLB:fairseq-RoBERTa/launch/FreeLB/sst-fp32-clip.sh; the 3 steps of 0.03, 0.16 and 0.14 for RTE stand in
    launch/YOPO/rte-fp32-clip.sh beside it, which is another method's. Their code for RoBERTa makes one pass more than
    its number of steps says, that for ALBERT, with 3 on SST-2, as many. Theirs has noise on special tokens as well and
    does not project r_0, which at these settings lies within the ball; here real tokens alone move. The lengths are
    against RoBERTa-large's embeddings.
    """

    steps: int = bounded(2, "[1, inf]")
    step: float = bounded(0.1, "[0, inf)")
    init: float = bounded(1.0, "[0, inf)")
    norm: float = bounded(0.6, "[0, inf]", "0 or more; inf for no limit")

    def passes(self) -> tuple[int, int]:
        return (self.steps, self.steps) if self.norm else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.norm:
            return backward_at(step)
        shift = within(uniform_noise(step, self.init, self.name), self.norm)
        losses = []
        for _ in range(self.steps - 1):
            loss, gradient = gradient_at(step, shift, 1 / self.steps)
            losses.append(loss)
            shift = within(shift + steepest(gradient, step.real_tokens, self.step), self.norm)
        losses.append(backward_at(step, shift, 1 / self.steps))
        return torch.stack(losses).mean()
