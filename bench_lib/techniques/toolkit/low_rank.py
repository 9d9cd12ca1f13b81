"""What LoRA and its variants share: low-rank updates of queries and values, by peft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from bench_lib.core.extras import optional
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.layouts import Layout, separate_stacks
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, expect, new_parts, wrap

LOW_RANK_SUPERSEDES = {
    **OTHER_PARTS,
    **dict.fromkeys(("low_lr+", "scale_lr+"), "it sets a rate of its own, not one relative to the profile's"),
    "freeze_bottom+": "it freezes the body itself, and adds its parameters after",
    "+noisy_tune": "declined: the pre-trained weights are no more under their names",
    "prune_structured_heads": "declined: no output projection trains, by whose gradients heads are ranked",
    **dict.fromkeys(("l2_sp", "wd_pre", "recadam"), "declined: nothing trains that has a pre-trained value"),
}


def add_low_rank(
    training: Training, technique: str, rank: int, alpha: int, options: Mapping[str, Any] | None = None
) -> None:
    """Freeze the body and add matrices A and B to its queries and values; the new head trains whole.

    `options` are those of peft's `LoraConfig` in which a variant differs. All draw under one name, so that a seed
    gives each variant the same A as far as they draw it alike.
    """
    with optional("peft"):
        import peft  # heavy: only runs that use it pay for it

    stacks = separate_stacks(training, technique)
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=alpha,
        # peft knows these by the type of the model, and not for every one that is built alike.
        target_modules=stacks.pattern(_queries_and_values),
        modules_to_save=new_parts(training),
        **options or {},
    )
    wrap(training, technique, config, drawn_as="lora")
    expect(training, technique, "lora_A", stacks.count(_queries_and_values))


def _queries_and_values(layout: Layout) -> tuple[str, str]:
    return layout.query, layout.value


def low_rank_layers(training: Training) -> dict[str, Any]:
    """peft's layers that have an A and a B, by name."""
    return {name: module for name, module in training.model.named_modules() if hasattr(module, "lora_A")}


def factors(layer: Any) -> tuple[Tensor, Tensor]:
    """A, (rank, inputs), and B, (outputs, rank), of one of peft's layers."""
    return layer.lora_A["default"].weight, layer.lora_B["default"].weight
