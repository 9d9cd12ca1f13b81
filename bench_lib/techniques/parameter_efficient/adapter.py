"""Adapters: small networks between the frozen layers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.layouts import known_layout
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, claim

A_BLOCK = 2
"""Adapters in each block."""


class Bottleneck(nn.Module):
    """A dropout layer, which it replaces, then a network that adds to its output; both weights start near 0."""

    def __init__(self, dropout: nn.Module, width: int, bottleneck: int, spread: float) -> None:
        super().__init__()
        self.dropout, self.down, self.up = dropout, nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        self.activation = nn.GELU(approximate="tanh")
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=spread, a=-2 * spread, b=2 * spread)
            nn.init.zeros_(linear.bias)

    def forward(self, states: Tensor) -> Tensor:
        states = self.dropout(states)
        added: Tensor = self.up(self.activation(self.down(states)))
        return states + added


@dataclass(frozen=True)
class Adapter(
    Technique,
    name="adapter",
    family="parameter-efficient",
    paper="Houlsby et al. 2019, arXiv:1902.00751",
    identity=None,
    no_identity="new layers in a frozen model; test_adapter.py shows where they equal the baseline",
    supersedes=OTHER_PARTS | {"wd_pre": "declined: nothing but norms trains that has a pre-trained value"},
    space={
        "learning_rate": (3e-5, 3e-4, 3e-3),  # section 3.2 of the paper
        "bottleneck": (8, 64, 256),  # section 3.2 of the paper
    },
    trimmable=True,
):
    """Two bottlenecks in each block learn, before the residual of the attention and of the feed-forward part.

    h <- h + W_up gelu(W_down h + b_down) + b_up,  W ~ N(0, spread) cut at 2 spreads, b = 0 at the start

    Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP": the norms and the new head train with them,
    and the rest is frozen. Bottleneck 64, the tanh form of gelu, the spread of 1e-3 and the place after the dropout are
    those of the authors' code, and rate 3e-4 is its example for MRPC. In decoders, whose norms come first, it is placed
    right after the projection and before any dropout (our choice). Own code, since peft 0.21 has none of this kind
    and the package `adapters` is bound to transformers 4.
    Source: google-research/adapter-bert:README.md and modeling.py; the paper, section 3.6, has a spread of 1e-2.
    """

    bottleneck: int = bounded(64, "[1, inf]")
    spread: float = bounded(1e-3, "(0, 1]", "above 0, at most 1; at 0 nothing would learn")
    learning_rate: float = bounded(3e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        claim(training, self.name)
        places = _projections(training) if training.architecture.causal else _outputs(training)
        # By name: some models have norms of their own class.
        norms = {id(p) for m in training.model.modules() if "norm" in type(m).__name__.lower() for p in m.parameters()}
        for name, parameter in training.model.named_parameters():
            if name in training.pretrained and id(parameter) not in norms:
                parameter.requires_grad_(False)
        with training.seeded("init", self.name):
            for place in places:
                if training.architecture.causal:
                    width = place.get_parameter("weight").shape[0]
                    place.add_module("adapter", Bottleneck(nn.Sequential(), width, self.bottleneck, self.spread))
                    place.register_forward_hook(_adapted)
                else:
                    width = place.get_submodule("LayerNorm").get_parameter("weight").numel()
                    dropout = place.get_submodule("dropout")
                    place.add_module("dropout", Bottleneck(dropout, width, self.bottleneck, self.spread))


def _adapted(projection: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    changed: Tensor = projection.get_submodule("adapter")(output)
    return changed


def _projections(training: Training) -> list[nn.Module]:
    """The last projections of attention and feed-forward part in the blocks of a decoder."""
    layout = known_layout(training, "adapter")
    blocks = [block for i in range(training.architecture.depth) for block in training.architecture.block(i)]
    return [training.model.get_submodule(f"{block}.{own}") for block in blocks for own in (layout.output, layout.outer)]


def _outputs(training: Training) -> list[nn.Module]:
    """The parts of the blocks that end in projection, dropout, residual and norm, as in BERT: two in each block."""
    found = [
        module
        for name, module in training.model.named_modules()
        if training.architecture.block_list in name
        and {"dense", "dropout", "LayerNorm"} <= {child for child, _ in module.named_children()}
    ]
    if len(found) != A_BLOCK * training.architecture.depth:
        raise Unsupported(
            f"adapter finds {len(found)} places in {training.architecture.depth} blocks and needs "
            f"{A_BLOCK} in each, where `dense`, `dropout` and `LayerNorm` follow one another as in BERT"
        )
    return found
