"""Other dropout rates, by where the dropout stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from bench_lib.errors import Unsupported, require
from bench_lib.spec import Scalar
from bench_lib.techniques.base import Technique
from bench_lib.techniques.dropout_rates import DropoutSite, check_needed, dropout_sites
from bench_lib.techniques.layouts import Layout, layout_of
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
        found = [(site, place) for site, place in dropout_places(training) if place in rates]
        if rates and not found:
            model = type(training.model).__name__
            raise Unsupported(f"dropout finds no place in {model} that drops out, for any of: {', '.join(rates)}")
        for site, place in found:
            site.set(rates[place])
        check_needed(training)


def dropout_places(training: Training) -> list[tuple[DropoutSite, str]]:
    """Where a model drops out, and for each which of `hidden`, `attention` or `head` that is."""
    layout = layout_of(training.model, training.anatomy.block_list)
    return [(site, _place(site, training, layout)) for site in dropout_sites(training.model)]


def _place(site: DropoutSite, training: Training, layout: Layout | None) -> str:
    """By the company that a site keeps: the name alone misleads, as `attention.dropout` is either in public models."""
    level = training.anatomy.level(site.name)
    if level > training.anatomy.depth:
        return "head"
    owner, _, own = site.name.rpartition(".")
    # Beside the projections, ALBERT, DeBERTa and ModernBERT have some for states too.
    if level == 0 or own.startswith(("out", "pos")):
        return "hidden"
    if layout is not None:
        return "attention" if owner.endswith(f".{layout.attention}") else "hidden"
    beside = [getattr(module, "weight", None) for module in training.model.get_submodule(owner).children()]
    matrices = [weight for weight in beside if weight is not None and weight.dim() == 2]
    return "attention" if len(matrices) >= PROJECTIONS or "attention" in own else "hidden"
