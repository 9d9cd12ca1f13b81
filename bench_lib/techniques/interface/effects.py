"""Measured effects of the registered techniques, as shipped with the package."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("effects.json")
CLEAR = 3.0
"""A change is the technique's if it is this many times that of rounding."""


@dataclass(frozen=True)
class Effect:
    """A run beside the baseline's of the same seed.

    `trained` is the share of parameters that train; `steps`, `passes` and `saved`, the bytes to save, are relative to
    the baseline. `moved` is the distance of embeddings and blocks from their pre-trained weights, relative to the
    baseline and averaged over layers, and `uneven` the root mean square of its deviation from 1 over layers. `apart`
    is the distance of the trained weights from the baseline's, relative to the baseline's movement; `answers` the root
    mean square difference of the logits, relative to their standard deviation. None where nothing can be compared:
    renamed weights, other rows, seed ensembles.
    """

    trained: float
    steps: float
    passes: float
    saved: float | None
    moved: float | None
    uneven: float | None
    apart: float | None
    answers: float | None

    def acts(self, rounding: Sequence[Effect]) -> bool:
        """Whether it changes the trained parameters, steps or saved bytes, or anything more than rounding does."""
        if any((self.trained, self.steps, self.saved) != (r.trained, r.steps, r.saved) for r in rounding):
            return True
        return any(
            value is None or value > CLEAR * max(getattr(r, name) or 0.0 for r in rounding)
            for name, value in (("uneven", self.uneven), ("apart", self.apart), ("answers", self.answers))
        )

    def told(self, rounding: Sequence[Effect]) -> str:
        """The effect in words, each amount beside that of rounding."""
        if not self.acts(rounding):
            return "it changes no more than rounding does"

        def beside(name: str) -> str:
            return f"(rounding: {percent(max(getattr(r, name) or 0.0 for r in rounding))})"

        parts = []
        if any(self.trained != r.trained for r in rounding):
            parts.append(f"trains {percent(self.trained)} of the parameters")
        times = {"steps": self.steps, "passes": self.passes, "bytes saved": self.saved}
        parts += [f"{value:.3g} times the {name}" for name, value in times.items() if value not in (1, None)]
        if self.apart:
            parts.append(
                f"weights differ from the baseline's by {percent(self.apart)} of its movement {beside('apart')}"
            )
        if self.moved is not None and self.uneven:
            parts.append(f"weights move {self.moved:.3g} times as far")
        if self.answers:
            parts.append(f"logits differ by {percent(self.answers)} of their spread {beside('answers')}")
        return "; ".join(parts)


def percent(share: float) -> str:
    """Two significant digits, without an exponent."""
    value = 100 * share
    digits = max(0, 1 - math.floor(math.log10(value))) if value else 0
    return f"{value:.{digits}f} %"


@dataclass(frozen=True)
class Measured:
    """The effect of one version of a technique, or the reason why it has none, and its reported numbers."""

    version: str
    effect: Effect | None = None
    reason: str = ""
    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Effects:
    """Effects by technique, beside those of rounding; `where` names model, task and budget."""

    where: str
    rounding: tuple[Effect, ...]
    techniques: Mapping[str, Measured]

    def text(self, technique: str, version: str) -> str:
        """The effect of a technique in a sentence; empty where this version was not measured."""
        found = self.techniques.get(technique)
        if found is None or found.version != version:
            return ""
        if found.effect is None:
            return f"Not measured: {found.reason}."
        own = [f"{name} {value:.3g}" for name, value in found.reported.items()]
        said = f"; it reports {', '.join(own)}" if own else ""
        return f"In a run of {self.where}: {found.effect.told(self.rounding)}{said}."


def encoded(effects: Effects) -> str:
    """The text of `FILE`, with three significant digits, so that another machine's differs by little."""
    techniques = {
        name: {
            "version": one.version,
            "effect": one.effect and _rounded(vars(one.effect)),
            "reason": one.reason,
            "reported": _rounded(one.reported),
        }
        for name, one in effects.techniques.items()
    }
    rounding = [_rounded(vars(effect)) for effect in effects.rounding]
    return json.dumps({"where": effects.where, "rounding": rounding, "techniques": techniques}, indent=1) + "\n"


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value if value is None else float(f"{value:.3g}") for name, value in values.items()}


@functools.cache
def measured() -> Effects:
    """The shipped effects, measured by `python -m tests.effects`."""
    value: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    techniques = {
        name: Measured(**one | {"effect": one["effect"] and Effect(**one["effect"])})
        for name, one in value["techniques"].items()
    }
    return Effects(value["where"], tuple(Effect(**one) for one in value["rounding"]), techniques)
