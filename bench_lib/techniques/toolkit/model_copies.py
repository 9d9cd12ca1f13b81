"""What compressors share: a plain copy of the model, and its parts by name."""

from __future__ import annotations

import copy
import math

from torch import nn

from bench_lib.models.architecture import Architecture


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy of a model with peft's additions merged into its weights, so that its layers are plain."""
    copied = copy.deepcopy(model)
    merge = getattr(copied, "merge_and_unload", None)
    plain: nn.Module = merge() if merge else copied
    return plain


def part(model: nn.Module, name: str) -> str:
    """The full name of a part, with a wrapper's prefix if there is one."""
    return next(str(n) for n, _ in model.named_modules() if n == name or n.endswith(f".{name}"))


def linear_layers(model: nn.Module, architecture: Architecture) -> dict[str, nn.Module]:
    """The linear layers of the blocks, by name: modules with a matrix as weight that are no embeddings."""
    # Not by class, since techniques replace linear layers by their own.
    return {
        name: module
        for name, module in model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2
        and not isinstance(module, nn.Embedding)
        and 1 <= architecture.layer_index(f"{name}.weight") <= architecture.depth
    }


def portion(share: float, number: int) -> int:
    """A share of a number, rounded down without rounding errors: 0.29 of 100 is 29 and not 28."""
    return math.floor(round(share * number, 6))
