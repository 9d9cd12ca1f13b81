"""Pre-trained values as anchors: which parameters have one, and the pull back to it after an update."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from bench_lib.errors import Unsupported
from bench_lib.techniques.training import Group, Training

Anchors = list[tuple[nn.Parameter, Tensor]]
"""Parameters in training, each with its pre-trained value on the same device."""


def has_start(name: str, training: Training) -> bool:
    """Whether a parameter has a value to be pulled back to: embeddings and blocks have, pooler and head have not."""
    return training.anatomy.is_pretrained(name) and name in training.pretrained


def anchors(training: Training) -> Anchors:
    """The parameters in training that have a pre-trained value, each with that value."""
    return [
        (parameter, training.pretrained[name].to(parameter.device))
        for name, parameter in training.trainable().items()
        if has_start(name, training)
    ]


def without_decay(groups: list[Group], training: Training, owner: str) -> list[Group]:
    """Groups in which the parameters with a pre-trained value are apart and do not decay towards zero.

    Raises `Unsupported` in the name of the technique `owner` where no parameter in training has such a value.
    """
    split: list[Group] = []
    for group in groups:
        pulled = {n: p for n, p in group.parameters.items() if has_start(n, training)}
        others = {n: p for n, p in group.parameters.items() if n not in pulled}
        split += [replace(group, parameters=pulled, weight_decay=0.0), replace(group, parameters=others)]
    if not any(has_start(name, training) for name in training.trainable()):
        raise Unsupported(f"{owner} finds no parameter in training that has a pre-trained value to be pulled to")
    return [group for group in split if group.parameters]


@torch.no_grad()
def pull(training: Training, anchored: Anchors, strength: float) -> None:
    """theta <- theta - min(1, lr * strength) * (theta - theta_pretrained), each parameter at its own learning rate.

    Never beyond the anchor, where the pull would swing; what a phase has frozen stays as it is.
    """
    rates = training.learning_rates()
    for parameter, start in anchored:
        if parameter.requires_grad:
            parameter.lerp_(start, min(1.0, rates[id(parameter)] * strength))
