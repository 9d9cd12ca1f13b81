"""Model Stock: the mean of a few fine-tuned models, pulled to the pre-trained one by their disagreement."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.models.interventions import mean_of
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.hooks import Weights
from bench_lib.techniques.interface.technique import Technique

Loaders = Sequence[Callable[[], Weights]]


@dataclass(frozen=True)
class ModelStock(
    Technique,
    name="model_stock",
    family="optimisation",
    paper="Jang et al. 2024, arXiv:2403.19522",
    identity={"members": 1},
    observer=True,
    space={"members": (2, 3, 5)},  # 3 and 5 are our choice
    no_trimming="it measures angles between whole matrices, the word embeddings of all tokens among them",
):
    """Average the weights of a few seeds and go back towards the pre-trained ones, tensor by tensor.

    theta = t * mean_i(theta_i) + (1 - t) * theta_pretrained,  t = N cos(phi) / (1 + (N - 1) cos(phi)),
    phi the mean over pairs of the angle between theta_i - theta_pretrained and theta_j - theta_pretrained,  N members

    Jang et al. 2024, "Model Stock: All we need is just a few fine-tuned models"; two members are the paper's point. For
    more the angle is a mean over pairs, as its authors say in an issue of their repository. Beyond a right angle t is 0
    here, where the formula turns negative. What has no pre-trained value is averaged: new heads of several seeds partly
    cancel, as in uniform_soup, unless the init stream is frozen; where only new parts train it is that soup.
    Source: arcee-ai/mergekit:mergekit/merge_methods/model_stock.py and
    tanganke/fusion_bench:fusion_bench/method/model_stock/model_stock.py, which are ports.
    """

    members: int = bounded(2, "[1, inf]")

    def pools(self) -> int:
        return self.members

    def merge_weights(self, members: Sequence[Callable[[], Weights]], pretrained: Weights) -> Weights:
        mean = mean_of(members)
        if len(members) == 1:
            return mean
        ratios = _ratios(members, pretrained)
        return {n: pretrained[n].lerp(value, ratios[n]) if n in ratios else value for n, value in mean.items()}


def _ratios(members: Loaders, pretrained: Weights) -> dict[str, Tensor]:
    """t for each tensor that has a pre-trained value, from two members in memory at a time."""
    angles: dict[str, list[Tensor]] = {}
    for place, load in enumerate(members[:-1]):
        first = load()
        for second, name in itertools.product((other() for other in members[place + 1 :]), pretrained):
            if name in first:
                angles.setdefault(name, []).append(_angle(*(w[name] - pretrained[name] for w in (first, second))))
    count, ratios = len(members), {}
    for name, found in angles.items():
        cosine = torch.stack(found).mean().cos().clamp(min=0.0)
        ratios[name] = count * cosine / (1 + (count - 1) * cosine)
    return ratios


def _angle(first: Tensor, second: Tensor) -> Tensor:
    """The angle between two tensors, a right one where either is 0."""
    length = (first.norm() * second.norm()).clamp(min=torch.finfo(first.dtype).tiny)
    angle: Tensor = ((first * second).sum() / length).clamp(-1.0, 1.0).acos()
    return angle
