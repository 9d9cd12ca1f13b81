"""The precision of a run: autocast, and emulated products where the processor has no kernels for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from bench_lib.instruments.kernels import Products, bf16_products
from bench_lib.techniques.interface.context import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}

Functions = frozenset[Callable[..., Tensor]]

LINEAR: Functions = frozenset([F.linear])
PRODUCTS: Functions = LINEAR | {
    *(torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.addbmm, torch.baddbmm, torch.einsum),
    *(torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.__rmatmul__, torch.Tensor.mm, torch.Tensor.bmm),
    *(torch.Tensor.addmm, torch.Tensor.addbmm, torch.Tensor.baddbmm),
    *(F.conv1d, F.conv2d, torch.conv1d, torch.conv2d, F.scaled_dot_product_attention),
}
"""Functions that autocast computes in low precision; attention is one of these, or made of them."""

PLAIN = (Tensor, nn.Parameter)


@contextmanager
def autocast(training: Training, full_precision: bool = False) -> Iterator[None]:
    """The profile's precision as a context, or fp32 in its place."""
    precision = "fp32" if full_precision else training.profile.precision
    device = training.device.type
    with (
        torch.autocast(device, AUTOCAST.get(precision, torch.bfloat16), enabled=precision in AUTOCAST),
        _products(device, precision),
    ):
        yield


def checkpoint_gradients(model: PreTrainedModel, training: Training) -> None:
    """Let the blocks of a model compute what they need for their gradients again, in place of keeping it.

    Autocast and torch's generators are as in the forward pass by themselves, emulated products only by this.
    """
    model.config.use_cache = False
    again = functools.partial(_again, training)
    model.activation_checkpointing_enable({"use_reentrant": False, "context_fn": again})


def _again(training: Training) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """The contexts of a block's forward pass and of its repetition."""
    return nullcontext(), _products(training.device.type, training.profile.precision)


def computed_by(device: torch.device, precision: str) -> dict[str, str]:
    """Provenance of products in low precision, where they depend on the machine."""
    return {"bf16": bf16_products().value} if (device.type, precision) == ("cpu", "bf16") else {}


def _products(device: str, precision: str) -> AbstractContextManager[object]:
    if (device, precision) == ("cpu", "fp16"):
        # A processor's own fp16 kernels for linear layers take ten times as long as those of fp32.
        return RoundedProducts(torch.float16, LINEAR)
    if (device, precision) == ("cpu", "bf16") and bf16_products() is Products.EMULATED:
        return RoundedProducts(torch.bfloat16, PRODUCTS)
    return nullcontext()


class RoundedProducts(TorchFunctionMode):
    """Within autocast, these functions round their operands to a type, add up in fp32, and round the result.

    As tensor cores do. The casts also round the gradients to the type, which in fp16 overflow and vanish as there.
    Where autocast is off, the functions are left alone.
    """

    def __init__(self, dtype: torch.dtype, functions: Functions) -> None:
        super().__init__()
        self.dtype, self.functions = dtype, functions

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        # Weights of other classes, such as quantized ones, bring their own arithmetic.
        own = any(kind not in PLAIN for kind in types)
        if func not in self.functions or own or not torch.is_autocast_enabled("cpu"):
            return func(*args, **named)
        with torch.autocast("cpu", enabled=False):
            product = func(*map(self._rounded, args), **{name: self._rounded(value) for name, value in named.items()})
            return product.to(self.dtype) if product.dtype == torch.float32 else product

    def _rounded(self, operand: Any) -> Any:
        if isinstance(operand, (list, tuple)):
            return [self._rounded(part) if isinstance(part, Tensor) else part for part in operand]
        # As autocast, leave fp64 and whole numbers as they are.
        low = isinstance(operand, Tensor) and operand.is_floating_point() and operand.dtype != torch.float64
        return operand.to(self.dtype).float() if low else operand
