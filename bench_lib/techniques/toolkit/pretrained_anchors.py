"""Pre-trained values as anchors: which parameters have one, and the pull back to it after an update."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import is_matrix
from bench_lib.techniques.interface.context import Group, Training

Anchors = list[tuple[nn.Parameter, Tensor]]
"""Parameters in training, each with its pre-trained value on the same device."""


def with_start(training: Training, owner: str, matrices_only: bool = False) -> dict[str, nn.Parameter]:
    """The trained parameters with a pre-trained value, by name.

    `matrices_only` leaves out biases and norms. Raises `Unsupported`, naming the technique `owner`, without any.
    """
    found = {name: p for name, p in training.trainable().items() if name in training.pretrained}
    found = matrices(found) if matrices_only else found
    if not found:
        what = "matrix" if matrices_only else "parameter"
        raise Unsupported(f"{owner} finds no {what} in training that has a pre-trained value to be pulled to")
    return found


def matrices(parameters: Mapping[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    """Those of the parameters that are no biases and no gains or shifts of a norm."""
    return {name: parameter for name, parameter in parameters.items() if is_matrix(name, parameter)}


def anchors(training: Training, parameters: Mapping[str, nn.Parameter]) -> Anchors:
    """These parameters, each with its pre-trained value."""
    return [(parameter, training.pretrained[name].to(parameter.device)) for name, parameter in parameters.items()]


def without_decay(groups: list[Group], names: Collection[str]) -> list[Group]:
    """Groups in which the named parameters are separate and have no weight decay."""
    split: list[Group] = []
    for group in groups:
        chosen = {n: p for n, p in group.parameters.items() if n in names}
        others = {n: p for n, p in group.parameters.items() if n not in names}
        split += [replace(group, parameters=chosen, weight_decay=0.0), replace(group, parameters=others)]
    return [group for group in split if group.parameters]


@torch.no_grad()
def pull(training: Training, anchored: Anchors, strength: float) -> None:
    """theta <- theta - min(1, lr * strength) * (theta - theta_pretrained), each parameter at its own learning rate.

    Never beyond the anchor; frozen parameters stay as they are.
    """
    rates = training.learning_rates()
    for parameter, start in anchored:
        if parameter.requires_grad:
            parameter.lerp_(start, min(1.0, rates[id(parameter)] * strength))


class SlowPull:
    """A pull with compensated summation, since each step may be smaller than a weight's precision.

    In fp32 a weight of 0.05 moves by 4e-9 or not at all. `owed` is the pull that is not in the weights yet.
    """

    def __init__(self, anchored: Anchors) -> None:
        self.anchored = anchored
        self.owed = [torch.zeros_like(parameter) for parameter, _ in anchored]

    @torch.no_grad()
    def step(self, training: Training, strength: float) -> None:
        """As `pull`, with compensated rounding."""
        rates = training.learning_rates()
        for (parameter, start), owed in zip(self.anchored, self.owed, strict=True):
            if not parameter.requires_grad:
                continue
            owed.add_(parameter - start, alpha=min(1.0, rates[id(parameter)] * strength))
            before = parameter.clone()
            parameter.sub_(owed)
            owed.sub_(before.sub_(parameter))  # the part that took effect; exact, since both are close
