"""What parameter-efficient techniques share: the choice of what trains, the new modules, and peft's wrapper."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.extras import optional
from bench_lib.techniques.interface.context import Training

LOW_RANK = ("lora", "rslora", "dora", "lora_orthogonal", "pissa", "lora_plus", "lora_ga")
"""LoRA and its variants, which `low_rank` puts into a model."""
FEW_PARTS = (*LOW_RANK, "adalora", "prefix", "ia3", "bitfit", "ln_only", "adapter")
"""The techniques that choose what trains, only one of which can."""
OTHER_PARTS = dict.fromkeys(FEW_PARTS, "declined: each freezes what the other one trains")


def claim(training: Training, technique: str) -> None:
    """Note that a technique chooses what trains, and raise `Unsupported` where another one has.

    Also raises it where weights were drawn anew, since they would never be trained.
    """
    if drawn := drawn_anew(training):
        raise Unsupported(f"{technique} would freeze {', '.join(drawn)} as they were drawn anew, with nothing learnt")
    holders = claimants(training)
    if holders:
        raise Unsupported(
            f"{technique} cannot follow {holders[0]}: either one freezes all but the head and what it adds itself"
        )
    holders.append(technique)


def claimants(training: Training) -> list[str]:
    """The techniques, one at most, that have chosen what trains."""
    return training.keep(claimants, list[str])


def drawn_anew(training: Training) -> list[str]:
    """The pre-trained modules that techniques have drawn anew, a list to add to."""
    return training.keep(drawn_anew, list[str])


def read_in_fp32(training: Training) -> list[Tensor]:
    """The frozen weights that techniques read by themselves, which are not held in bf16, a list to add to."""
    return training.keep(read_in_fp32, list[Tensor])


def new_parts(training: Training) -> list[str]:
    """The modules without pre-trained weights, which always train: the head, and a pooler that was not pre-trained."""
    architecture = training.architecture
    new = {name.split(".")[0] for name, _ in training.model.named_parameters() if name not in training.pretrained}
    parts = [name for name, _ in training.model.named_children() if name != architecture.body and name in new]
    if architecture.pooler and not any(name.startswith(f"{architecture.pooler}.") for name in training.pretrained):
        parts.append(architecture.pooler)
    return parts


def wrap(training: Training, technique: str, config: Any, drawn_as: str = "") -> None:
    """Put peft's wrapper around the model, its parameters drawn from the init stream; `Unsupported` where peft cannot.

    Techniques that draw under one name, `drawn_as` in place of their own, start with the same numbers.

    The configuration is best without a task type: peft's wrapper for question answering drops the token types.
    """
    with optional("peft"):
        import peft  # heavy: only runs that use it pay for it

    claim(training, technique)
    with training.seeded("init", drawn_as or technique), warnings.catch_warnings():
        # peft asks transformers for a property by its old name.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        try:
            training.model = peft.get_peft_model(training.model, config)
        except ValueError as error:
            raise Unsupported(
                f"{technique}: peft does not take this model or what the stack made of it: {error}"
            ) from error


def expect(training: Training, technique: str, added: str, number: int) -> None:
    """Raise `Unsupported` unless peft added this number of modules of a name."""
    found = sum(f".{added}." in f"{name}." for name, _ in training.model.named_parameters())
    if found != number:
        depth = training.architecture.depth
        raise Unsupported(f"{technique} finds {found} of its places in {depth} blocks and needs {number}")
