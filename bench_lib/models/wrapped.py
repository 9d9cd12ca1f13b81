"""What a wrapper, such as peft's, holds: the model of transformers, and the parameters that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def pretrained_in(model: nn.Module) -> PreTrainedModel:
    """The model of transformers that a model is, or that a wrapper holds."""
    from transformers import PreTrainedModel

    return next(module for module in model.modules() if isinstance(module, PreTrainedModel))


def parameter_count(model: nn.Module) -> int:
    """The number of a model's parameters, without peft's first copy of the head and its counters."""
    counted = (p for n, p in model.named_parameters() if ".original_module." not in n and ".ranknum." not in n)
    return sum(p.numel() for p in counted)
