"""Linear probing: the new head is trained on a frozen body."""

from __future__ import annotations

from collections.abc import Callable

from bench_lib.techniques.interface.context import Phase, Training

NO_NEW_HEAD = "it trains a new head first, and texts are written by the head that was pre-trained"
"""Why a technique that begins with the head declines written answers."""
PROBE_RATE = 1e-2
"""Learning rate of a head on its own, our choice: at the rate of fine-tuning it would learn next to nothing."""


def probing(training: Training, learning_rate: float) -> Phase:
    """A phase from the first step on that trains the head only, at a rate of its own."""
    return Phase(first_step=0, trains=in_head(training), learning_rate=learning_rate)


def in_head(training: Training) -> Callable[[str], bool]:
    """Whether a parameter belongs to the head, by its name, also behind a wrapper's prefix."""
    architecture = training.architecture  # a prompt lies outside the body too, at layer index 0
    return lambda name: not architecture.in_body(name) and architecture.layer_index(name) > architecture.depth
