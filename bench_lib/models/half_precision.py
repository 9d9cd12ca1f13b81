"""What a model's own code needs to run in half precision."""

from __future__ import annotations

import types
from typing import Any

from torch import Tensor, nn


def mend(model: nn.Module) -> None:
    """Let DeBERTa's attention add its biases in the precision of what they are added to.

    They are parameters of their own, in fp32, and so make the queries fp32 beside scores in bf16 or fp16. The smallest
    number of the queries' type, with which padding is masked, is then beyond the scores', and the forward pass fails.
    In fp32 nothing changes.
    """
    for module in model.modules():
        if type(module).__name__ == "DisentangledSelfAttention" and hasattr(module, "q_bias"):
            module.transpose_for_scores = types.MethodType(_as_projected, module)  # type: ignore[assignment]  # in place of a method


def _as_projected(module: Any, states: Tensor) -> Tensor:
    """DeBERTa's method of this place; a bias is (1, 1, width), and comes after the projection that it is added to."""
    if states.shape[:2] == (1, 1):
        states = states.to(module.projected)
    else:
        module.projected = states.dtype
    transposed: Tensor = type(module).transpose_for_scores(module, states)
    return transposed
