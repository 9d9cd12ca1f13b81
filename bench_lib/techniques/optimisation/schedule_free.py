"""Schedule-free AdamW: an average of the weights in place of a falling rate."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.optimizers import parameter_groups
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class ScheduleFree(
    Technique,
    name="schedule_free",
    family="optimisation",
    paper="Defazio et al. 2024, arXiv:2405.15682",
    identity=None,
    packages=("pytorch_optimizer",),
    no_identity="an optimiser of another rule; its test shows the published steps",
    supersedes={"constant": "it has a constant schedule itself"},
    space={"beta": (0.9, 0.95, 0.98)},
    trimmable=True,
):
    """Gradients are taken between the fast weights and their average, at a constant rate; the average is evaluated.

    y = (1 - beta) z + beta x;  z <- z - lr * (g(y) / (sqrt(v_hat) + eps) + wd * y);  x <- (1 - c) x + c z,
    c = lr^2 / the sum of lr^2 so far

    Defazio et al. 2024, "The Road Less Scheduled", algorithm 1, by pytorch-optimizer; beta 0.9 and the values to tune
    are the authors'. The profile's warm-up stays, as they advise, its falling schedule does not, and rate, beta2, eps
    and decay are the profile's; they find rates of 1 to 10 times AdamW's to work. The weights in training are y, those
    of every evaluation x. A schedule that the stack sets before it is lost.
    Source: facebookresearch/schedule_free:README.md.
    """

    beta: float = bounded(0.9, "(0, 1)")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, schedule="constant_with_warmup")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        with optional("pytorch_optimizer"):
            import pytorch_optimizer  # a hundred optimisers: only runs that use it pay for it

        betas = (self.beta, profile.beta2)
        return pytorch_optimizer.ScheduleFreeAdamW(parameter_groups(groups), betas=betas, eps=profile.eps)

    @torch.no_grad()
    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        """The library's own way there and back would round."""
        state = training.optimizer.state if training.optimizer else {}
        stepped = [parameter for parameter in training.trainable().values() if "z" in state.get(parameter, {})]
        if not stepped:
            return nullcontext()
        averages = [parameter.lerp(state[parameter]["z"], 1 - 1 / self.beta) for parameter in stepped]
        return weights_replaced(stepped, averages)
