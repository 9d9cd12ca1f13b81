"""What techniques share that train few parameters beside frozen weights: who chooses, what is new, peft's wrapper."""

from __future__ import annotations

import warnings
from typing import Any

from bench_lib.errors import Unsupported
from bench_lib.techniques.training import Training


def claim(training: Training, technique: str) -> None:
    """Note that a technique chooses what trains, and raise `Unsupported` where another one has."""
    holders = training.keep(claim, list[str])
    if holders:
        raise Unsupported(
            f"{technique} cannot follow {holders[0]}: either one freezes all but the head and what it adds itself"
        )
    holders.append(technique)


def new_parts(training: Training) -> list[str]:
    """The modules without pre-trained weights, which always train: the head, and a pooler that was not pre-trained."""
    anatomy = training.anatomy
    parts = [n for n, part in training.model.named_children() if n != anatomy.body and [*part.parameters()]]
    if anatomy.pooler and not any(name.startswith(f"{anatomy.pooler}.") for name in training.pretrained):
        parts.append(anatomy.pooler)
    return parts


def wrap(training: Training, technique: str, config: Any) -> None:
    """Put peft's wrapper around the model, its parameters drawn from the init stream; what it cannot is `Unsupported`.

    The configuration is best without a task type: peft's wrapper for question answering drops the token types.
    """
    import peft  # heavy: only runs that use it pay for it

    claim(training, technique)
    with training.seeded("init", technique), warnings.catch_warnings():
        # peft asks transformers for a property by its old name.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        try:
            training.model = peft.get_peft_model(training.model, config)
        except ValueError as error:
            raise Unsupported(
                f"{technique}: peft does not take this model or what the stack made of it: {error}"
            ) from error
