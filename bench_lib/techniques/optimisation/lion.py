"""Lion: the sign of a momentum."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import parameter_groups, rescaled
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Lion(
    Technique,
    name="lion",
    family="optimisation",
    paper="Chen et al. 2023, arXiv:2302.06675",
    identity=None,
    packages=("pytorch_optimizer",),
    no_identity="an optimiser of another rule; its test shows the published steps",
    supersedes={"clip_norm": "a sign does not change with the norm"},
    space={"factor": (0.1, 0.2, 0.33)},
    trimmable=True,
):
    """Every element moves by the same amount, in the direction of a momentum's sign.

    theta <- theta - factor * lr * sign(beta1 * m + (1 - beta1) * g) - lr * wd * theta,  then
    m <- beta2 * m + (1 - beta2) * g

    Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2, by pytorch-optimizer with its
    settings, which are the authors': beta1 0.9, beta2 0.99. They take a 3 to 10 times smaller rate than AdamW's, since
    a sign is a larger step, and as much more decay. Factor 0.2 within that range is our choice: it moves the blocks of
    minilm as far in a run as AdamW does. The decay is the profile's.
    Source: google/automl:lion/README.md.
    """

    factor: float = bounded(0.2, "(0, 1000]")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        with optional("pytorch_optimizer"):
            import pytorch_optimizer  # a hundred optimisers: only runs that use it pay for it

        return pytorch_optimizer.Lion(parameter_groups(rescaled(groups, self.factor)))
