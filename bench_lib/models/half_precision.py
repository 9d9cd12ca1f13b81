"""Corrections of models' own code for half precision."""

from __future__ import annotations

import types
from typing import Any

from torch import Tensor, nn


def mend(model: nn.Module) -> None:
    """Let DeBERTa's attention add its biases in the precision of its projections; in fp32 nothing changes.

    The biases are fp32 parameters and make the queries fp32 beside scores in bf16 or fp16. Padding is masked with the
    smallest number of the queries' type, which the scores cannot hold, and the forward pass fails.
    """
    for module in model.modules():
        if type(module).__name__ == "DisentangledSelfAttention" and hasattr(module, "q_bias"):
            module.transpose_for_scores = types.MethodType(_as_projected, module)  # type: ignore[assignment]  # in place of a method


def _as_projected(module: Any, states: Tensor) -> Tensor:
    """DeBERTa's method with the bias, (1, 1, width), in the precision of the projection."""
    if states.shape[:2] == (1, 1):
        states = states.to(module.projected)
    else:
        module.projected = states.dtype
    transposed: Tensor = type(module).transpose_for_scores(module, states)
    return transposed
