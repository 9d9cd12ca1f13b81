"""What compressors share: a copy of the model to change, and its parts by the names they have in a plain model."""

from __future__ import annotations

import copy
import math

from torch import nn

from bench_lib.models.architecture import Architecture


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy of a model, in which what peft added to weights is merged into them, so that its layers are plain ones."""
    copied = copy.deepcopy(model)
    merge = getattr(copied, "merge_and_unload", None)
    plain: nn.Module = merge() if merge else copied
    return plain


def part(model: nn.Module, name: str) -> str:
    """The name that a part has in a model, which a wrapper may put a prefix before."""
    return next(str(n) for n, _ in model.named_modules() if n == name or n.endswith(f".{name}"))


def linear_layers(model: nn.Module, architecture: Architecture) -> dict[str, nn.Module]:
    """The linear layers of the blocks by name: what has a matrix for a weight and looks nothing up in it."""
    # Not by class: techniques put layers of their own in the place of linear ones.
    return {
        name: module
        for name, module in model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2
        and not isinstance(module, nn.Embedding)
        and 1 <= architecture.layer_index(f"{name}.weight") <= architecture.depth
    }


def portion(share: float, number: int) -> int:
    """How many of a number of things a share of them is, in whole ones; 0.29 of 100 is 29 and not 28.999..."""
    return math.floor(round(share * number, 6))
