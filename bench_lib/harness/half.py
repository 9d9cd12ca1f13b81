"""Linear layers in fp16 on a processor, whose own fp16 kernels take ten times as long as those of fp32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class HalfLinear(TorchFunctionMode):
    """Within this context a linear layer takes and gives fp16, and adds up its products in fp32.

    That is what tensor cores do. The casts do the same to the gradients on their way back: they are rounded to fp16,
    and overflow and vanish as there.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        # A weight of a type of its own, such as a quantized one, brings its own arithmetic.
        if func is F.linear and not types:
            return _linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        offset = None if bias is None else bias.half().float()
        return F.linear(rows.half().float(), weight.half().float(), offset).half()
