"""Uniform soups: the mean of the weights of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench_lib.models.interventions import mean_of
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.hooks import Weights
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class UniformSoup(
    Technique,
    name="uniform_soup",
    family="optimisation",
    paper="Wortsman et al. 2022, arXiv:2203.05482",
    identity={"members": 1},
    observer=True,
    space={"members": (2, 3, 5, 10)},  # our choice
    trimmable=True,
):
    """Average the weights of several seeds, whatever they score.

    theta = (1 / members) * sum_i theta_i

    Wortsman et al. 2022, "Model soups", the uniform soup; theirs has 72 models of other settings and needs no held-out
    examples either. 5 members are our choice. Their models begin with one and the same head. Those of seeds do not: the
    means of heads that were drawn independently cancel, and the soup can fall to a constant predictor. Freeze the init
    stream to judge the method as it was published. Serving it costs one forward pass.
    Source: mlfoundations/model-soups:main.py.
    """

    members: int = bounded(5, "[1, inf]")

    def pools(self) -> int:
        return self.members

    def merge_weights(self, members: Sequence[Callable[[], Weights]], pretrained: Weights) -> Weights:
        return mean_of(members)
