"""Layouts of blocks: the names of queries, keys, values and feed-forward layers in each model family."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.model_copies import part


@dataclass(frozen=True)
class Layout:
    """Modules of a block, by their names within it.

    `attention` splits states into heads, and holds `query`, `key` and `value`; where these are one matrix, all
    three name it. `output` follows the attention. `inner` are the first layers of the feed-forward part, two where it
    is gated, and `outer` is its last. `order` says how a matrix of all three is divided: all queries, all keys, all
    values (`parts`), or the three of each head in turn (`heads`); it is empty where that is not known. `cross` is the
    attention of a decoder to an encoder, which is built as the other one.
    """

    name: str
    attention: str
    query: str
    key: str
    value: str
    output: str
    inner: tuple[str, ...]
    outer: str
    order: str = ""
    cross: str = ""

    @property
    def fused(self) -> bool:
        """Whether queries, keys and values are one matrix."""
        return self.query == self.value

    def parts(self) -> set[str]:
        """The modules that every block of this layout has."""
        attention = (self.attention, self.query, self.key, self.value, self.output)
        return {*self.with_cross(attention), *self.inner, self.outer}

    def with_cross(self, places: Iterable[str]) -> tuple[str, ...]:
        """These modules, and for those of the attention their likes in the attention to an encoder."""
        own, start = tuple(places), len(self.attention)
        likes = (f"{self.cross}{place[start:]}" for place in own if f"{place}.".startswith(f"{self.attention}."))
        return (*own, *likes) if self.cross else own


def _bert(
    name: str, *projections: str, attention: str = "attention.self", output: str = "attention.output.dense"
) -> Layout:
    query, key, value = (f"{attention}.{projection}" for projection in projections)
    return Layout(name, attention, query, key, value, output, ("intermediate.dense",), "output.dense")


def _projected(name: str, output: str, inner: tuple[str, ...], outer: str, cross: str = "") -> Layout:
    query, key, value = (f"self_attn.{each}_proj" for each in "qkv")
    return Layout(name, "self_attn", query, key, value, f"self_attn.{output}", inner, outer, cross=cross)


def _t5(name: str, feed_forward: str, inner: tuple[str, ...], cross: str = "") -> Layout:
    query, key, value, output = (f"layer.0.SelfAttention.{each}" for each in "qkvo")
    first, last = tuple(f"{feed_forward}.{each}" for each in inner), f"{feed_forward}.wo"
    return Layout(name, "layer.0.SelfAttention", query, key, value, output, first, last, cross=cross)


LAYOUTS = (
    _bert("BERT, RoBERTa, ELECTRA", "query", "key", "value"),
    _bert("DeBERTa-v2", "query_proj", "key_proj", "value_proj"),
    _bert("DeBERTa", "in_proj", "in_proj", "in_proj"),
    _bert("MPNet", "q", "k", "v", attention="attention.attn", output="attention.attn.o"),
    Layout(
        "DistilBERT",
        "attention",
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        ("ffn.lin1",),
        "ffn.lin2",
    ),
    Layout(
        "ALBERT",
        "albert_layers.0.attention",
        "albert_layers.0.attention.query",
        "albert_layers.0.attention.key",
        "albert_layers.0.attention.value",
        "albert_layers.0.attention.dense",
        ("albert_layers.0.ffn",),
        "albert_layers.0.ffn_output",
    ),
    Layout("ModernBERT", "attn", "attn.Wqkv", "attn.Wqkv", "attn.Wqkv", "attn.Wo", ("mlp.Wi",), "mlp.Wo"),
    Layout(
        "GPT-2",
        "attn",
        "attn.c_attn",
        "attn.c_attn",
        "attn.c_attn",
        "attn.c_proj",
        ("mlp.c_fc",),
        "mlp.c_proj",
        "parts",
    ),
    Layout(
        "GPT-NeoX",
        "attention",
        "attention.query_key_value",
        "attention.query_key_value",
        "attention.query_key_value",
        "attention.dense",
        ("mlp.dense_h_to_4h",),
        "mlp.dense_4h_to_h",
        "heads",
    ),
    _projected("BART's decoder", "out_proj", ("fc1",), "fc2", "encoder_attn"),
    _projected("OPT, BART", "out_proj", ("fc1",), "fc2"),
    *(
        _t5(f"T5{side}", f"layer.{place}.DenseReluDense", inner, cross)
        for side, place, cross in (("", 1, ""), ("'s decoder", 2, "layer.1.EncDecAttention"))
        for inner in (("wi",), ("wi_0", "wi_1"))
    ),
    _projected("Phi", "dense", ("mlp.fc1",), "mlp.fc2"),
    _projected("Nomic, Llama", "o_proj", ("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"),
)


def layout_of(model: nn.Module, block_list: str) -> Layout | None:
    """The layout of a model's blocks, that of the first block with a known one; None where no block has one."""
    for block in model.get_submodule(part(model, block_list)).children():
        names = {name for name, _ in block.named_modules()}
        for layout in LAYOUTS:
            if layout.parts() <= names:
                return layout
    return None


def known_layout(training: Training, technique: str, stack: str = "") -> Layout:
    """The layout of a model's blocks, those of a stack if it has two; `Unsupported` where no block has a known one."""
    layout = layout_of(training.model, stack or training.architecture.block_list)
    if layout is None:
        known = "; ".join(dict.fromkeys(layout.name for layout in LAYOUTS))
        raise Unsupported(
            f"{technique} finds no queries, keys and values in the blocks of {type(training.model).__name__}; it knows "
            f"{known}"
        )
    return layout


def separate(training: Training, technique: str, stack: str = "") -> Layout:
    """The layout of blocks whose queries, keys and values are matrices of their own, split up where that is known.

    Others raise `Unsupported`. Of a model of two stacks they are the blocks of the one that is named.
    """
    layout = known_layout(training, technique, stack)
    if not layout.fused:
        return layout
    if not layout.order:
        raise Unsupported(
            f"{technique} changes some of queries, keys and values, which are one matrix, {layout.query}, in "
            f"{type(training.model).__name__}"
        )
    config: Any = training.model.config  # of transformers, and not declared on nn.Module
    heads = int(config.num_attention_heads) if layout.order == "heads" else 1
    for name in [name for name, _ in training.model.named_modules() if name.endswith(f".{layout.query}")]:
        training.model.set_submodule(name, SplitProjection(training.model.get_submodule(name), heads))
    query, key, value = (f"{layout.query}.{part}" for part in SplitProjection.PARTS)
    return replace(layout, query=query, key=key, value=value)


class SplitProjection(nn.Module):
    """A linear layer for queries, keys and values as three, with the outputs in the same places."""

    PARTS = ("query", "key", "value")

    def __init__(self, fused: nn.Module, heads: int) -> None:
        super().__init__()
        self.heads = heads
        weight, bias = fused.get_parameter("weight").detach(), getattr(fused, "bias", None)
        for number, name in enumerate(self.PARTS):
            own = self._rows(weight)[:, number].flatten(0, 1)
            linear = nn.Linear(own.shape[1], own.shape[0], bias=bias is not None, device="meta")
            linear.weight = nn.Parameter(own.clone())
            if bias is not None:
                linear.bias = nn.Parameter(self._rows(bias.detach())[:, number].flatten(0, 1).clone())
            self.add_module(name, linear)

    def _rows(self, fused: Tensor) -> Tensor:
        return torch.unflatten(fused, 0, (self.heads, 3, -1))  # (heads, 3, rows of a head, ...)

    def forward(self, states: Tensor) -> Tensor:
        parts: list[Tensor] = [self.get_submodule(name)(states) for name in self.PARTS]
        return torch.cat([torch.unflatten(part, -1, (self.heads, -1)) for part in parts], -1).flatten(-2)


Choice = Callable[[Layout], Iterable[str]]
"""Which modules of a block a technique changes; those of the attention stand for their likes in one to an encoder."""


@dataclass(frozen=True)
class Stacks:
    """The lists of blocks of a model, one or two, each with the layout and the number of its blocks."""

    layouts: Mapping[str, tuple[Layout, int]]

    def pattern(self, choose: Choice) -> str:
        """A regular expression for the chosen modules of every block."""
        places = {stack: layout.with_cross(choose(layout)) for stack, (layout, _) in self.layouts.items()}
        return "|".join(rf"{re.escape(stack)}\.\d+\.({'|'.join(map(re.escape, own))})" for stack, own in places.items())

    def count(self, choose: Choice) -> int:
        """The number of the chosen modules in all blocks."""
        return sum(blocks * len(layout.with_cross(choose(layout))) for layout, blocks in self.layouts.values())


def separate_stacks(training: Training, technique: str) -> Stacks:
    """Each list of blocks, with queries, keys and values apart; `Unsupported` where they cannot be."""
    architecture = training.architecture
    sizes = [architecture.encoder or architecture.depth, architecture.depth - architecture.encoder]
    return Stacks(
        {
            stack: (separate(training, technique, stack), blocks)
            for stack, blocks in zip(architecture.stacks, sizes, strict=False)
        }
    )
