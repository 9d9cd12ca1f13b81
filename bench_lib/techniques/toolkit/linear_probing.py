"""The training of the new head alone, on top of a body that stays as it was loaded."""

from __future__ import annotations

from collections.abc import Callable

from bench_lib.techniques.interface.context import Phase, Training

PROBE_RATE = 1e-2
"""Learning rate of a head on its own, our choice: at the rate of fine-tuning it would learn next to nothing."""


def probing(training: Training, learning_rate: float) -> Phase:
    """A phase from the first step on that trains the head only, at a rate of its own."""
    return Phase(first_step=0, trains=in_head(training), learning_rate=learning_rate)


def in_head(training: Training) -> Callable[[str], bool]:
    """Whether a parameter of this name lies outside the body, whatever a wrapper put before all names."""
    architecture = training.architecture  # a prompt stands outside the body as well, and comes before it
    return lambda name: not architecture.in_body(name) and architecture.layer_index(name) > architecture.depth
