"""Attention heads: where they lie, how important each is for the loss, and their removal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.model_copies import part

LAYOUTS = (
    ("attention.self", "query", "key", "value", "attention.output.dense"),
    ("attention", "q_lin", "k_lin", "v_lin", "attention.out_lin"),
    *(("self_attn", "q_proj", "k_proj", "v_proj", f"self_attn.{output}") for output in ("o_proj", "out_proj", "dense")),
)
"""Names of the attention, its inner projections and the output projection in blocks as BERT's, DistilBERT's, Llama's.
"""
COUNTS = ("num_attention_heads", "n_heads", "num_heads")
WIDTHS = ("all_head_size",)
"""Attributes of attention modules for the number of heads, and for their total width."""


@dataclass(frozen=True, eq=False)
class Attention:
    """One block's attention; its heads lie side by side in the rows of `inner` and in the columns of `output`.

    Heads that share a key and value count as one.
    """

    module: nn.Module
    inner: tuple[nn.Module, ...]
    output: nn.Module
    heads: int

    def keep(self, heads: Iterable[int]) -> None:
        """Remove all other heads from the layers; the heads that stay compute as before."""
        kept = sorted(heads)
        for layer in self.inner:
            places = self._places(layer.get_parameter("weight").shape[0], kept)
            _narrow(layer, "weight", 0, places)
            _narrow(layer, "bias", 0, places)
        places = self._places(self.output.get_parameter("weight").shape[1], kept)
        _narrow(self.output, "weight", 1, places)
        sizes = dict.fromkeys(COUNTS, len(kept)) | dict.fromkeys(WIDTHS, len(places))
        for name in sizes.keys() & vars(self.module).keys():
            setattr(self.module, name, sizes[name])

    def _places(self, size: int, kept: Sequence[int]) -> list[int]:
        width = size // self.heads
        return [head * width + place for head in kept for place in range(width)]


def attentions(model: nn.Module, block_list: str) -> list[Attention]:
    """The attention of every block; an empty list for an unknown layout."""
    blocks = list(model.get_submodule(part(model, block_list)).children())
    for layout in LAYOUTS:
        found = [attention for block in blocks if (attention := _attention(block, layout))]
        if len(found) == len(blocks):
            return found
    return []


def _attention(block: nn.Module, layout: Sequence[str]) -> Attention | None:
    modules = dict(block.named_modules())
    place, *inner, output = layout
    names = [f"{place}.{name}" for name in inner]
    if not {place, *names, output} <= modules.keys():
        return None
    own = vars(modules[place])
    counts = [own[name] for name in COUNTS if name in own]
    query, *rows = (modules[name].get_parameter("weight").shape[0] for name in names)
    if groups := own.get("num_key_value_groups"):
        counts, rows = [rows[0] // own["head_dim"]], [row * groups for row in rows]
    # Where these differ, the model adds something to its heads that would stay when a head is removed.
    if {query, *rows} != {modules[output].get_parameter("weight").shape[1]} or not counts:
        return None
    return Attention(modules[place], tuple(modules[name] for name in names), modules[output], counts[0])


def _narrow(layer: nn.Module, name: str, dim: int, places: Sequence[int]) -> None:
    parameter = getattr(layer, name)
    if parameter is not None:
        chosen = torch.tensor(places, device=parameter.device)
        setattr(layer, name, nn.Parameter(parameter.detach().index_select(dim, chosen), requires_grad=False))
        size = ("out_features", "in_features")[dim]
        if size in vars(layer):
            setattr(layer, size, len(places))


class Importance:
    """For each head the sum over updates of |dL/dxi|, xi a factor before the head's output; in fp32 on the device.

    Since the factor could as well stand before the head's columns of the output projection,
    dL/dxi = sum(W * dL/dW) over these columns, and no extra pass is needed. W are the weights before the update; for
    the first update, those after it.
    """

    def __init__(self, training: Training) -> None:
        self.attentions = attentions(training.model, training.architecture.block_list)
        heads = max((a.heads for a in self.attentions), default=0)
        self.sums = torch.zeros(len(self.attentions), heads, device=training.device)
        self.known: set[int] = set()
        self.before = [attention.output.get_parameter("weight").detach().clone() for attention in self.attentions]

    def add(self) -> None:
        """Add the gradients of a batch, for the blocks that have gradients."""
        weights = [attention.output.get_parameter("weight") for attention in self.attentions]
        gradients = {block: weight.grad for block, weight in enumerate(weights) if weight.grad is not None}
        if not gradients:
            return
        blocks = list(gradients)
        products = torch.stack(torch._foreach_mul([self.before[block] for block in blocks], list(gradients.values())))
        gates = products.view(len(blocks), products.shape[1], self.sums.shape[1], -1).sum((1, 3)).abs()
        # The optimiser skips a step that overflowed in half precision; here it counts as 0.
        self.sums[blocks] += gates.nan_to_num(0.0, 0.0, 0.0)
        self.known.update(blocks)
        torch._foreach_copy_(self.before, [weight.detach() for weight in weights])

    def ranked(self) -> list[tuple[int, int]]:
        """(block, head) by rising importance, normalised within each block; blocks without gradients are left out."""
        blocks = sorted(self.known)
        shares = nn.functional.normalize(self.sums[blocks], dim=1).flatten().tolist()
        order = sorted(range(len(shares)), key=shares.__getitem__)
        heads = self.sums.shape[1]
        return [(blocks[place // heads], place % heads) for place in order]


def least(ranked: Sequence[tuple[int, int]], number: int) -> dict[int, set[int]]:
    """The heads to remove from each block: the first `number` in order, but never a block's last one."""
    left = {block: sum(b == block for b, _ in ranked) for block, _ in ranked}
    removed: dict[int, set[int]] = {}
    for block, head in ranked:
        if number and left[block] > 1:
            removed.setdefault(block, set()).add(head)
            left[block] -= 1
            number -= 1
    return removed
