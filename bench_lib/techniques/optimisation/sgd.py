"""Plain stochastic gradient descent, with momentum."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import parameter_groups
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class SGD(
    Technique,
    name="sgd",
    family="optimisation",
    paper="Gkouti et al. 2024, arXiv:2402.06948",
    identity=None,
    packages=("pytorch_optimizer",),
    no_identity="an optimiser of another rule; its test shows the published steps",
    space={
        "learning_rate": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),  # our choice
        "momentum": (0.0, 0.9),
    },
    trimmable=True,
):
    """Gradient descent with momentum, at a rate of its own, in place of Adam's step.

    m <- momentum * m + g;  theta <- theta - lr * m - lr_profile * wd * theta

    Gkouti et al. 2024, "Should I try multiple optimizers when fine-tuning pre-trained Transformers for NLP tasks?",
    find it the best of seven optimisers where nothing is tuned. Momentum 0.9 is usual; public rates for encoders run
    from 1e-4 to 1e-1. 1e-2 among them is our choice: of a gradient clipped to norm 1, as profiles have it, a step is
    then at most 0.1 long, and one of AdamW at 2e-5 on 110 million weights is 0.2. Smaller gradients make smaller steps:
    in 30 steps of minilm on SST-2 the last block moves by 0.05 % of its norm, and by 0.8 % at 1e-1, where AdamW at 2e-4
    moves it by 1.5 %; so tune it. The decay is decoupled, and per step what the profile says; one that the stack sets
    after it acts at this rate.
    Source: princeton-nlp/MeZO:medium_models/opt_fewshot_sgd_array.sh.example and rivercold/ACClip-Pytorch:run_glue.sh.
    """

    learning_rate: float = bounded(1e-2, "(0, inf]")
    momentum: float = bounded(0.9, "[0, 1)", "0 or more, below 1")

    def configure(self, profile: Profile) -> Profile:
        # A weight decays by the rate times the decay in each step.
        decay = profile.weight_decay * profile.learning_rate / self.learning_rate
        return dataclasses.replace(profile, learning_rate=self.learning_rate, weight_decay=decay)

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        with optional("pytorch_optimizer"):
            import pytorch_optimizer  # a hundred optimisers: only runs that use it pay for it

        return pytorch_optimizer.SGDW(parameter_groups(groups), momentum=self.momentum)
