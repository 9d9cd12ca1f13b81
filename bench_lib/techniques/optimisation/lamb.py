"""LAMB: Adam's direction, at a step relative to each weight matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import parameter_groups
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Lamb(
    Technique,
    name="lamb",
    family="optimisation",
    paper="You et al. 2020, arXiv:1904.00962",
    identity=None,
    packages=("pytorch_optimizer",),
    no_identity="an optimiser of another rule; its test shows the published steps",
    version="2",  # the ratio of biases and norms is 1, where version 1 took it of them too
    space={"factor": (4.0, 6.0, 8.0, 10.0)},  # 4 is our choice
    no_trimming="its steps are relative to the size of a whole matrix, the word embeddings of all tokens among them",
):
    """Each weight matrix moves by the same share of its norm, in the direction of AdamW's step.

    r = m / (sqrt(v) + eps) + wd * theta;  theta <- theta - factor * lr * ||theta|| / ||r|| * r,  with 1 for the ratio
    where either norm is 0, and for biases and norms

    You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2, by pytorch-optimizer; the ratio of 1 and
    the settings (beta1 0.9, beta2 0.999, eps 1e-6) are those of ALBERT's code. There is no bias correction, which the
    ratio cancels but for biases and norms; the library would divide the rate by 1 - beta1^t all the same and cap
    ||theta|| at 10: both are switched off. A comment there has rates of 3e-4, 4e-4 or 5e-4 for fine-tuning at batch 64
    where AdamW has 3e-5 to 5e-5, which is a factor of 10; 4 is our choice, since a step of AdamW moves minilm's blocks
    by 4 * lr of their norm.
    Source: google-research/albert:lamb_optimizer.py and optimization.py.
    """

    factor: float = bounded(4.0, "(0, 1000]")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        with optional("pytorch_optimizer"):
            import pytorch_optimizer  # a hundred optimisers: only runs that use it pay for it

        # The decay is part of r, and so does not grow with the rate.
        faster = [replace(group, learning_rate=group.learning_rate * self.factor) for group in groups]
        made = parameter_groups([part for group in faster for part in _by_shape(group)])
        for part in made:
            part["adam"] = part["params"][0].dim() < 2  # the library's word for a ratio of 1
        optimizer = pytorch_optimizer.Lamb(made, weight_decouple=False, adam_debias=True)
        optimizer.clamp = math.inf
        return optimizer


def _by_shape(group: Group) -> list[Group]:
    """A group's matrices apart from its biases and norms."""
    chosen = {n: p for n, p in group.parameters.items() if p.dim() >= 2}
    others = {n: p for n, p in group.parameters.items() if n not in chosen}
    return [replace(group, parameters=part) for part in (chosen, others) if part]
