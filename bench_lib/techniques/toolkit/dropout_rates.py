"""Where a model drops out: layers, and rates that its code reads from plain attributes; and how to set them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.layouts import Layout, layout_of

RATE = re.compile(r"(^|_)(dropout|drop|pdrop|drop_prob|dropout_prob|dropout_p)$|dropout_prob$")
"""Names of attributes of modules that are rates: `attention_dropout`, `drop_prob`, `resid_pdrop` and their like."""
PROJECTIONS = 3
"""Queries, keys and values: what stands beside the dropout of attention probabilities and beside no other."""

SET_DROPOUT = ("dropout", "hype")
"""Techniques that set rates, which earlier versions did in layers alone."""
NEED_DROPOUT = ("r_drop",)
"""Techniques that do nothing to a model which drops out nowhere, and did so in silence in earlier versions."""


@dataclass(frozen=True, eq=False)
class DropoutSite:
    """One place in which a model drops out: a layer, or an attribute of a module that its code reads as a rate.

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
    """Every place in which a model drops out, or would at a rate above 0.

    A layer that a model leaves out at a rate of 0, an identity of such a name, becomes one of rate 0.
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
    """Whether two passes of the model in training differ by what they drop."""
    return any(site.rate > 0 for site in dropout_sites(model))


def need_dropout(training: Training, technique: str) -> None:
    """Note that a technique does nothing without dropout; raises `Unsupported` where the model has none in effect."""
    _needing(training).append(technique)
    check_needed(training)


def check_needed(training: Training) -> None:
    """Raise `Unsupported` where a technique needs dropout and none is in effect, or none is any more."""
    needing = _needing(training)
    if needing and not drops_out(training.model):
        raise Unsupported(
            f"{needing[0]} goes by what differs between two passes with dropout, and {type(training.model).__name__} "
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
        raise Unsupported(f"{type(model).__name__} drops out nowhere, so that no rate could be set to {rate}")
    for site in sites:
        site.set(rate)


def dropout_places(training: Training) -> list[tuple[DropoutSite, str]]:
    """Where a model drops out, and for each which of `hidden`, `attention` or `head` that is."""
    lists = training.architecture.lists
    layout = layout_of(training.model, lists[0]) if len(lists) == 1 else None
    return [(site, _place(site, training, layout)) for site in dropout_sites(training.model)]


def _place(site: DropoutSite, training: Training, layout: Layout | None) -> str:
    """By the company that a site keeps: the name alone misleads, as `attention.dropout` is either in public models."""
    layer = training.architecture.layer_index(site.name)
    if layer > training.architecture.depth:
        return "head"
    owner, _, own = site.name.rpartition(".")
    if layer == 0:
        return "attention" if own.startswith("attention") else "hidden"
    # Beside the projections, ALBERT, DeBERTa and ModernBERT have some for states too.
    if own.startswith(("out", "pos")):
        return "hidden"
    if layout is not None:
        return "attention" if owner.endswith(f".{layout.attention}") else "hidden"
    beside = [getattr(module, "weight", None) for module in training.model.get_submodule(owner).children()]
    matrices = [weight for weight in beside if weight is not None and weight.dim() == 2]
    return "attention" if len(matrices) >= PROJECTIONS or "attention" in own else "hidden"
