"""Which models can compute their attention by torch's fused kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Ref

if TYPE_CHECKING:  # It takes seconds to import, and a plan's status needs none of it.
    from transformers import PreTrainedModel


def fuses_attention(model: PreTrainedModel | type[PreTrainedModel]) -> bool:
    """Whether transformers has fused attention for a model or a class of models."""
    return bool(model._supports_sdpa)


def unfused(ref: Ref) -> str:
    """Why a model without fused attention is refused."""
    return f"model {ref.name!r} has no attention by torch's fused kernels; set attention to eager"


def check_attention(ref: Ref, model: type[PreTrainedModel], attention: str) -> None:
    """Raise `Unsupported` where a class of models has no such attention."""
    if attention == "sdpa" and not fuses_attention(model):
        raise Unsupported(unfused(ref))
