"""Mixout: now and then, a weight is its pre-trained self."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench_lib.errors import Unsupported, require
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Training


class MixoutLinear(nn.Module):
    """A linear layer over the same parameters, whose weight is mixed with the pre-trained one while training."""

    def __init__(self, linear: nn.Linear, pretrained: Tensor, p: float) -> None:
        super().__init__()
        self.weight, self.bias, self.p = linear.weight, linear.bias, p
        self.register_buffer("pretrained", pretrained, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.weight
        if self.training:
            weight = mix(weight, self.get_buffer("pretrained"), self.p)
        return nn.functional.linear(inputs, weight, self.bias)


def mix(weight: Tensor, pretrained: Tensor, p: float) -> Tensor:
    """((1 - M) * weight + M * pretrained - p * pretrained) / (1 - p), M ~ Bernoulli(p) for each element, in fp32."""
    kept = torch.empty_like(weight).bernoulli_(1 - p)  # 1 - M
    # The same, written around the pre-trained point: rounding is then relative to the small difference, and the
    # gradient with respect to the weight is (1 - M) / (1 - p).
    return pretrained + (weight - pretrained) * (kept / (1 - p))


@dataclass(frozen=True)
class Mixout(Technique):
    """Bernoulli mixture of current and pre-trained weights in the linear layers of the body, unbiased in expectation.

    w_mix = ((1 - M) w + M u - p u) / (1 - p),  M ~ Bernoulli(p),  u pre-trained

    Lee et al. 2020, "Mixout", equation 4; p 0.1 is what Zhang et al. 2021 find best with bias correction (Lee et al.
    take 0.7 to 0.9 with BERTAdam). The new head, which has no pre-trained weights, is left out; dropout stays.
    """

    name: ClassVar[str] = "mixout"
    family: ClassVar[str] = "regularisation"
    paper: ClassVar[str] = "Lee et al. 2020, arXiv:1909.11299"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"p": 0.0}

    p: float = 0.1

    def __post_init__(self) -> None:
        require(0 <= self.p < 1, "mixout:p", self.p, "0 up to, not including, 1")

    def prepare(self, training: Training) -> None:
        if self.p == 0:
            return
        layers = dict(_linear_layers(training))
        if not layers:
            raise Unsupported("mixout finds no linear layer in the body whose weight is a pre-trained one")
        for name, module in layers.items():
            start = training.pretrained[f"{name}.weight"].to(module.weight.device)
            training.model.set_submodule(name, MixoutLinear(module, start, self.p))


def _linear_layers(training: Training) -> Iterator[tuple[str, nn.Linear]]:
    for name, module in training.model.named_modules():
        weight = f"{name}.weight"
        if isinstance(module, nn.Linear) and training.anatomy.is_pretrained(weight) and weight in training.pretrained:
            yield name, module
