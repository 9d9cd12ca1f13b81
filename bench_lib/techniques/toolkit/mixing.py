"""Linear layers whose weights are mixed with the pre-trained ones while they train, as both forms of mixout do it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training


class MixedLinear(nn.Module):
    """A linear layer over the same parameters, whose weight is mixed with the pre-trained one while training.

    `by_input` mixes all weights of an input neuron alike; otherwise each weight is mixed by itself.
    """

    def __init__(self, linear: nn.Linear, pretrained: Tensor, p: float, by_input: bool) -> None:
        super().__init__()
        self.weight, self.bias, self.p, self.by_input = linear.weight, linear.bias, p, by_input
        self.register_buffer("pretrained", pretrained, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.weight
        if self.training:
            weight = mix(weight, self.get_buffer("pretrained"), self.p, self.by_input)
        return nn.functional.linear(inputs, weight, self.bias)


def mix(weight: Tensor, pretrained: Tensor, p: float, by_input: bool) -> Tensor:
    """((1 - M) * weight + M * pretrained - p * pretrained) / (1 - p), M ~ Bernoulli(p), in fp32.

    M is drawn for each column of a weight of (outputs, inputs), or for each element.
    """
    mask = weight.new_empty(1, weight.shape[1]) if by_input else torch.empty_like(weight)
    kept = mask.bernoulli_(1 - p)  # 1 - M
    # The same, written around the pre-trained point: rounding is then relative to the small difference, and the
    # gradient with respect to the weight is (1 - M) / (1 - p).
    return pretrained + (weight - pretrained) * (kept / (1 - p))


def mix_layers(training: Training, layers: Mapping[str, nn.Linear], p: float, by_input: bool, technique: str) -> None:
    """Mix these layers, given by name, while the model trains.

    Raises `Unsupported` where there are none, or where another technique mixes layers already.
    """
    if any(isinstance(module, MixedLinear) for module in training.model.modules()):
        raise Unsupported(f"{technique} finds the layers mixed already, by another technique of the stack")
    if not layers:
        raise Unsupported(f"{technique} finds no linear layer in the body whose weight is a pre-trained one")
    for name, layer in layers.items():
        start = training.pretrained[f"{name}.weight"].to(layer.weight.device)
        training.model.set_submodule(name, MixedLinear(layer, start, p, by_input))


def pretrained_layers(training: Training) -> dict[str, nn.Linear]:
    """The linear layers with pre-trained weights, by name; not those with an adapter, which are frozen."""
    found = [(n, m) for n, m in training.model.named_modules() if isinstance(m, nn.Linear) and not [*m.children()]]
    return {name: layer for name, layer in found if f"{name}.weight" in training.pretrained}
