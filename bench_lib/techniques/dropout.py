"""Other dropout rates, by where the dropout stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from torch import nn

from bench_lib.errors import Unsupported, require
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Training

PROJECTIONS = 3
"""Queries, keys and values: what stands beside the dropout of attention probabilities and beside no other."""


@dataclass(frozen=True)
class Dropout(Technique):
    """Set the rates at which hidden states, attention probabilities and the head's input are dropped.

    y = x * M / (1 - rate),  M ~ Bernoulli(1 - rate) for each element, while training

    Srivastava et al. 2014, "Dropout". The catalogue lists 0.0, 0.1 and 0.2; 0.1 is BERT's own, at which this technique
    would do nothing, so 0.2. None keeps the model's rate or the one that the profile set. Hidden states are those of
    the embeddings and of the blocks; a model that lacks one of the three, as a head for spans does, goes without it.
    """

    name: ClassVar[str] = "dropout"
    family: ClassVar[str] = "regularisation"
    paper: ClassVar[str] = "Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.html"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"hidden": None, "attention": None, "head": None}

    hidden: float | None = 0.2
    attention: float | None = 0.2
    head: float | None = 0.2

    def __post_init__(self) -> None:
        for place, rate in asdict(self).items():
            allowed = "0 up to, not including, 1; None to keep"
            require(rate is None or 0 <= rate < 1, f"dropout:{place}", rate, allowed)

    def prepare(self, training: Training) -> None:
        rates = {place: rate for place, rate in asdict(self).items() if rate is not None}
        found = [(layer, place) for layer, place in dropout_layers(training) if place in rates]
        if rates and not found:
            model = type(training.model).__name__
            raise Unsupported(f"dropout finds no dropout layer in {model} for any of: {', '.join(rates)}")
        for layer, place in found:
            layer.p = rates[place]


def dropout_layers(training: Training) -> list[tuple[nn.Dropout, str]]:
    """Every dropout layer of a model and its place: `hidden`, `attention` or `head`."""
    layers = [(n, m) for n, m in training.model.named_modules() if isinstance(m, nn.Dropout)]
    return [(layer, _place(name, training)) for name, layer in layers]


def _place(name: str, training: Training) -> str:
    """By the company that a layer keeps: the name alone misleads, as `attention.dropout` is either in public models."""
    level = training.anatomy.level(name)
    if level > training.anatomy.depth:
        return "head"
    if level == 0:
        return "hidden"
    owner, _, own = name.rpartition(".")
    beside = [getattr(module, "weight", None) for module in training.model.get_submodule(owner).children()]
    matrices = [weight for weight in beside if weight is not None and weight.dim() == 2]
    of_states = own.startswith(("output", "pos"))  # beside the projections in ALBERT and DeBERTa
    return "attention" if len(matrices) >= PROJECTIONS and not of_states else "hidden"
