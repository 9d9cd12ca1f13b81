"""Adafactor: second moments by rows and columns, steps relative to the weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import parameter_groups, rescaled
from bench_lib.techniques.interface.technique import Technique

FLOORS = (1e-15, 1e-3)
"""Epsilon_1 (squared in the paper, 1e-30) and epsilon_2: the least a gradient and a weight matrix count for.

torch's default for the first, 1.2e-7, would be its floor for the mean square of a matrix's gradient too. A clipped
gradient of 22 million elements has less, 4.5e-8, so that the floor and not the gradient would set the second moment.
"""


@dataclass(frozen=True)
class Adafactor(
    Technique,
    name="adafactor",
    family="optimisation",
    paper="Shazeer & Stern 2018, arXiv:1804.04235",
    identity=None,
    no_identity="an optimiser of another rule; its test shows the published steps",
    space={"factor": (5.0, 10.0, 20.0, 40.0)},  # our choice
    no_trimming="its steps are relative to the size of a whole matrix, the word embeddings of all tokens among them",
):
    """AdamW is replaced by torch's Adafactor, which has no momentum and stores a row and a column for each matrix.

    R = mean of g^2 along rows, C along columns, averaged with beta2_t = 1 - t^-0.8;  u = g / sqrt(R C / mean(R));
    theta <- theta - min(factor * lr, 1 / sqrt(t)) * max(1e-3, RMS(theta)) * u / max(1, RMS(u))

    Shazeer & Stern 2018, "Adafactor", algorithms 4 and 5, with torch's settings but for one floor, which is the
    paper's. The step is relative to the weights' RMS (0.06 for minilm), so factor 20, our choice, moves the blocks as
    far in a run as AdamW does. The decay is the profile's: lr * wd * theta.
    Source: documentation of torch.optim.Adafactor and of Keras, whose defaults are the paper's; the paper has 1e-2 in
    place of factor * lr.
    """

    factor: float = bounded(20.0, "(0, 1000]")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return torch.optim.Adafactor(parameter_groups(rescaled(groups, self.factor)), eps=FLOORS, foreach=True)
