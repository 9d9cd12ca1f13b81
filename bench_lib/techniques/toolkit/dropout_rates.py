"""The dropout sites of a model, layers or attributes that its code reads as rates, and how to set them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.layouts import Layout, layout_of

RATE = re.compile(r"(^|_)(dropout|drop|pdrop|drop_prob|dropout_prob|dropout_p)$|dropout_prob$")
"""Names of module attributes that hold dropout rates, such as `attention_dropout`, `drop_prob`, `resid_pdrop`."""
PROJECTIONS = 3
"""Queries, keys and values: only the dropout of attention probabilities has so many matrices beside it."""

SET_DROPOUT = ("dropout", "hype")
"""Techniques that set dropout rates; earlier versions set them in layers only."""
NEED_DROPOUT = ("r_drop",)
"""Techniques without effect on a model without dropout; earlier versions did not say so."""


@dataclass(frozen=True, eq=False)
class DropoutSite:
    """One dropout layer, or an attribute of a module that its code reads as a dropout rate.

    `name` is that of the layer, or of the module and its attribute.
    """

    name: str
    module: nn.Module
    attribute: str

    @property
    def rate(self) -> float:
        return float(getattr(self.module, self.attribute))

    @property
    def is_layer(self) -> bool:
        return isinstance(self.module, nn.Dropout)

    def set(self, rate: float) -> None:
        setattr(self.module, self.attribute, rate)


def dropout_sites(model: nn.Module) -> list[DropoutSite]:
    """Every dropout site of a model, also at a rate of 0.

    An identity in the place of a dropout layer becomes a dropout layer of rate 0.
    """
    for name, module in [*model.named_modules()]:
        if type(module) is nn.Identity and re.search(r"drop(out)?$", name):
            model.set_submodule(name, nn.Dropout(0.0))
    return [site for name, module in model.named_modules() for site in _of_module(name, module)]


def _of_module(name: str, module: nn.Module) -> Iterator[DropoutSite]:
    if isinstance(module, nn.Dropout):
        yield DropoutSite(name, module, "p")
        return
    for attribute, value in vars(module).items():
        if type(value) in (float, int) and RATE.search(attribute):
            yield DropoutSite(f"{name}.{attribute}", module, attribute)


def drops_out(model: nn.Module) -> bool:
    """Whether any dropout rate of the model is above 0."""
    return any(site.rate > 0 for site in dropout_sites(model))


def need_dropout(training: Training, technique: str) -> None:
    """Note that a technique needs dropout; raise `Unsupported` where none is in effect."""
    _needing(training).append(technique)
    check_needed(training)


def check_needed(training: Training) -> None:
    """Raise `Unsupported` where a technique needs dropout and none is in effect."""
    needing = _needing(training)
    if needing and not drops_out(training.model):
        raise Unsupported(
            f"{needing[0]} compares two passes with dropout, and {type(training.model).__name__} "
            "has none in effect; set a rate in the profile, or by dropout before it in the stack"
        )


def _needing(training: Training) -> list[str]:
    return training.keep(need_dropout, list[str])


def set_dropout(model: nn.Module, rate: float | None) -> None:
    """Set every dropout rate of a model; None keeps the model's own."""
    if rate is None:
        return
    sites = dropout_sites(model)
    if rate and not sites:
        raise Unsupported(f"{type(model).__name__} has no dropout whose rate could be set to {rate}")
    for site in sites:
        site.set(rate)


def dropout_places(training: Training) -> list[tuple[DropoutSite, str]]:
    """Every dropout site of the model, with its part: `hidden`, `attention` or `head`."""
    lists = training.architecture.lists
    layout = layout_of(training.model, lists[0]) if len(lists) == 1 else None
    return [(site, _place(site, training, layout)) for site in dropout_sites(training.model)]


def _place(site: DropoutSite, training: Training, layout: Layout | None) -> str:
    """The part by the modules beside the site, since names mislead: `attention.dropout` is either in public models."""
    layer = training.architecture.layer_index(site.name)
    if layer > training.architecture.depth:
        return "head"
    owner, _, own = site.name.rpartition(".")
    if layer == 0:
        return "attention" if own.startswith("attention") else "hidden"
    # ALBERT, DeBERTa, ModernBERT and GPT-2 also have dropout of hidden states beside the projections.
    if own.startswith(("out", "pos", "resid")):
        return "hidden"
    if layout is not None:
        return "attention" if owner.endswith(f".{layout.attention}") else "hidden"
    beside = [getattr(module, "weight", None) for module in training.model.get_submodule(owner).children()]
    matrices = [weight for weight in beside if weight is not None and weight.dim() == 2]
    return "attention" if len(matrices) >= PROJECTIONS or "attention" in own else "hidden"
