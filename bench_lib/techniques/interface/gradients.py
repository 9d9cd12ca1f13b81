"""The trained parameters beside their gradients, as techniques that change gradients need them."""

from __future__ import annotations

from torch import Tensor, nn

from bench_lib.techniques.interface.context import Training


def with_gradients(training: Training) -> dict[str, tuple[nn.Parameter, Tensor]]:
    """Each trained parameter that has a gradient, and that gradient, by name; what a phase froze has none."""
    return {name: (p, p.grad) for name, p in training.trainable().items() if p.grad is not None}
