"""Layouts of blocks: the names of queries, keys, values and feed-forward layers in each model family."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.model_copies import part


@dataclass(frozen=True)
class Layout:
    """Modules of a block, by their names within it.

    `attention` splits states into heads, and holds `query`, `key` and `value`; where these are one matrix, all
    three name it. `output` follows the attention. `inner` are the first layers of the feed-forward part, two where it
    is gated, and `outer` is its last.
    """

    name: str
    attention: str
    query: str
    key: str
    value: str
    output: str
    inner: tuple[str, ...]
    outer: str

    @property
    def fused(self) -> bool:
        """Whether queries, keys and values are one matrix."""
        return self.query == self.value

    def parts(self) -> set[str]:
        """The modules that every block of this layout has."""
        return {self.attention, self.query, self.key, self.value, self.output, *self.inner, self.outer}


def _bert(
    name: str, *projections: str, attention: str = "attention.self", output: str = "attention.output.dense"
) -> Layout:
    query, key, value = (f"{attention}.{projection}" for projection in projections)
    return Layout(name, attention, query, key, value, output, ("intermediate.dense",), "output.dense")


def _projected(name: str, output: str, inner: tuple[str, ...], outer: str) -> Layout:
    query, key, value = (f"self_attn.{each}_proj" for each in "qkv")
    return Layout(name, "self_attn", query, key, value, f"self_attn.{output}", inner, outer)


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
    ),
    _projected("OPT", "out_proj", ("fc1",), "fc2"),
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


def separate(training: Training, technique: str) -> Layout:
    """The layout of blocks whose queries, keys and values are matrices of their own; others raise `Unsupported`."""
    layout, model = layout_of(training.model, training.architecture.block_list), type(training.model).__name__
    if layout is None:
        known = "; ".join(layout.name for layout in LAYOUTS)
        raise Unsupported(f"{technique} finds no queries, keys and values in the blocks of {model}; it knows {known}")
    if layout.fused:
        raise Unsupported(
            f"{technique} changes some of queries, keys and values, which are one matrix, {layout.query}, in {model}"
        )
    return layout


def pattern(training: Training, places: Iterable[str]) -> str:
    """A regular expression for modules at places of every block."""
    block = rf"{re.escape(training.architecture.block_list)}\.\d+"
    return rf"{block}\.({'|'.join(map(re.escape, places))})"
