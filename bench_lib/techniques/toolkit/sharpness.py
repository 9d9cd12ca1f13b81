"""A climb from the present weights to worse ones, where the gradients of a batch are taken anew."""

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
"""Below it the squares of fp32 underflow, so that a norm says nothing: such a gradient has no direction."""


@contextmanager
def climbed(parameters: Iterable[nn.Parameter], shifts: Sequence[Tensor]) -> Iterator[None]:
    """Hold the parameters shifted, and give them back to the bit, also if the body raises."""
    climbing = list(parameters)
    with torch.no_grad():
        shifted = torch._foreach_add([p.data for p in climbing], list(shifts))
    with weights_replaced(climbing, shifted):
        yield


def gradients_above(update: Update, shifts: Shifts) -> Tensor:
    """Leave the gradients of the climbed weights on the present ones, and return the loss of the present ones.

    `shifts` gives the climb of the parameters that have a gradient, named to it in order; where it gives none, the
    gradients of the present weights stay.
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
    """What scales tensors, taken as one vector, to a length; 0 where their norm is not finite or too close to 0."""
    norm = float(get_total_norm(tensors))
    return length / norm if LEAST_NORM <= norm < math.inf else 0.0


def gradients(named: Mapping[str, nn.Parameter]) -> list[Tensor]:
    """The gradients of parameters that all have one."""
    return [p.grad for p in named.values() if p.grad is not None]
