"""Sharpness-aware updates: the gradients of a batch are taken at weights that were moved uphill."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.context import Update, with_gradients

Shifts: TypeAlias = Callable[[Mapping[str, nn.Parameter]], Sequence[Tensor]]
LEAST_NORM = 1e-20
"""A gradient of a smaller norm has no direction, since its squares underflow in fp32."""


@contextmanager
def climbed(parameters: Iterable[nn.Parameter], shifts: Sequence[Tensor]) -> Iterator[None]:
    """Shift the parameters, and restore them to the bit, also if the body raises."""
    climbing = list(parameters)
    with torch.no_grad():
        shifted = torch._foreach_add([p.data for p in climbing], list(shifts))
    with weights_replaced(climbing, shifted):
        yield


def gradients_above(update: Update, shifts: Shifts) -> Tensor:
    """Leave the gradients at the shifted weights on the parameters, and return the loss at the present weights.

    `shifts` computes the shifts of the parameters that have a gradient, by name and in order; where it returns none,
    the gradients at the present weights stay.
    """
    loss = update.backward()
    named = {name: parameter for name, (parameter, _) in with_gradients(update.training).items()}
    with torch.no_grad():
        climb = shifts(named) if named else []
    if climb:
        with climbed(named.values(), climb):
            update.backward()
    return loss


def factor_to(length: float, tensors: Sequence[Tensor]) -> float:
    """The factor that scales tensors, as one vector, to a length; 0 if their norm is not finite or too close to 0."""
    norm = float(get_total_norm(tensors))
    return length / norm if LEAST_NORM <= norm < math.inf else 0.0


def gradients(named: Mapping[str, nn.Parameter]) -> list[Tensor]:
    """The gradients of parameters that all have one."""
    return [p.grad for p in named.values() if p.grad is not None]
