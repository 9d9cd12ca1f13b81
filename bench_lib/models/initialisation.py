"""Drawing a module's parameters anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call


@torch.no_grad()
def initialise(module: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draw a module's parameters anew, as BERT does: N(0, std) for matrices, 1 for norms' weights, 0 for biases."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            fresh: Tensor
            if name == "bias":
                fresh = torch.zeros(parameter.shape)
            elif parameter.dim() == 1:
                fresh = torch.full(parameter.shape, 0.0 if adds_one(part) else 1.0)
            else:
                fresh = torch.empty(parameter.shape).normal_(0.0, std, generator=generator)
            parameter.copy_(fresh)


def adds_one(module: nn.Module) -> bool:
    """Whether a module is a norm that scales by 1 + weight, as Gemma's, so that its weight starts at 0."""
    if "norm" not in type(module).__name__.lower() or "weight" not in dict(module.named_parameters(recurse=False)):
        return False
    nothing = torch.zeros_like(module.get_parameter("weight"))
    # At a weight of 0, the output of other norms depends on no input.
    rising = torch.arange(1.0, 1 + len(nothing), device=nothing.device)
    one, other = (functional_call(module, {"weight": nothing}, inputs) for inputs in (rising, rising.flip(0)))
    return not torch.equal(one, other)
