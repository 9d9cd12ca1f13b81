"""The course of training: fluctuating scores, exploding and vanishing gradients, drift of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import BadValue, require
from bench_lib.stats.spread import LARGEST, checked_scores

Floats = NDArray[np.float64]

EXPLOSION = 10.0
"""Ratio of a gradient's norm to the median of its run above which it is an explosion; our choice, without a standard.

It is relative to the run, since norms differ by orders of magnitude between models and losses.
"""

VANISHING = 1e-3
"""The share of the last block's gradient norm below which the first block's has vanished: our choice as well."""


@dataclass(frozen=True)
class GradientHealth:
    """The gradients of one run: its steps, the largest finite norm, the number of explosions, and shares of the steps.

    Unknown values are nan.
    """

    steps: int
    largest: float
    clipped: float
    skipped: float
    explosions: int
    vanishing: float


@dataclass(frozen=True, eq=False)
class DriftSummary:
    """Mean drift of the runs with known drift, per layer (layers,) and over all, and the number of the others."""

    runs: int
    dropped: int
    per_layer: Floats
    overall: float


def fluctuation(evaluations: ArrayLike) -> float:
    """Mean absolute change between successive evaluations (n,) of one run; nan for fewer than two."""
    values = checked_scores(evaluations)
    return float(np.abs(np.diff(values)).mean()) if values.size >= 2 else math.nan


def gradient_health(
    norms: ArrayLike,
    first: ArrayLike,
    last: ArrayLike,
    clipped_steps: int | None,
    skipped_steps: int | None,
    vanishing: float = VANISHING,
) -> GradientHealth:
    """The state of a run's gradients, from norms (steps,) before clipping: of the model, its first and its last block.

    Unknown norms of the blocks are empty, and unknown counts None. A norm is inf or nan where fp16 skips a step: such
    steps are skipped steps and no explosions, and count in the shares of clipped and skipped steps, but neither in the
    median nor in the share of vanishing steps. Explosions are norms above `EXPLOSION` times the median of the run.
    Vanishing is the share of steps with the first block's norm below that fraction of the last block's; it is nan where
    a block's norm is always 0, as for a frozen block. Shares without steps and the largest without finite norms are
    nan.
    """
    values = _checked_norms("norms", norms)
    require(0 < vanishing < 1, "vanishing fraction", vanishing, "between 0 and 1, both excluded")
    finite = values[np.isfinite(values)]
    return GradientHealth(
        steps=values.size,
        largest=float(finite.max()) if finite.size else math.nan,
        clipped=_share("clipped steps", clipped_steps, values.size),
        skipped=_share("skipped steps", skipped_steps, values.size),
        explosions=int(explosions(finite)) if finite.size else 0,
        vanishing=_vanishing(
            _checked_block("norms of the first block", first, values.size),
            _checked_block("norms of the last block", last, values.size),
            vanishing,
        ),
    )


def explosions(norms: Floats) -> NDArray[np.int64]:
    """The number of finite norms (..., steps), at least one, above `EXPLOSION` times their median: (...)."""
    return np.asarray((norms > EXPLOSION * np.median(norms, axis=-1, keepdims=True)).sum(axis=-1))


def vanishing_share(first: Floats, last: Floats, fraction: float = VANISHING) -> Floats:
    """The share of steps (..., steps) with the first block's norm below the fraction of the last block's: (...).

    All norms are finite; nan where a block's norm is always 0.
    """
    share = np.asarray((first < fraction * last).mean(axis=-1))
    return np.where(first.any(axis=-1) & last.any(axis=-1), share, math.nan)


def drift_summary(drift: Sequence[Sequence[float]] | Floats) -> DriftSummary:
    """Mean drift from the pre-trained weights, per layer and over all layers, of runs (runs, layers).

    Runs with an empty row or numbers that are not finite are dropped, so that all layers are averaged over the same
    runs. Without runs the means are nan, for as many layers as the non-empty rows have.
    """
    rows = [_checked_drift(row) for row in drift]
    widths = sorted({row.size for row in rows if row.size})
    require(len(widths) <= 1, "numbers of layers", widths, "the same for every run")
    known = [row for row in rows if row.size and np.isfinite(row).all()]
    unknown = len(rows) - len(known)
    if not known:
        return DriftSummary(0, unknown, np.full(widths[0] if widths else 0, math.nan), math.nan)
    per_layer = np.mean(known, axis=0)
    return DriftSummary(len(known), unknown, per_layer, float(per_layer.mean()))


def _vanishing(first: Floats, last: Floats, fraction: float) -> float:
    known = np.isfinite(first) & np.isfinite(last) if first.size == last.size else np.zeros(0, dtype=bool)
    return float(vanishing_share(first[known], last[known], fraction)) if known.any() else math.nan


def _share(what: str, count: int | None, steps: int) -> float:
    if count is None:
        return math.nan
    in_range = isinstance(count, Integral) and 0 <= count <= steps
    require(in_range, what, count, f"a whole number from 0 to the {steps} steps, or None")
    return count / steps if steps else math.nan


def _checked_norms(what: str, norms: ArrayLike) -> Floats:
    """The norms as an array (steps,), each 0 or more or not finite."""
    try:
        values = np.asarray(norms, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue(what, norms, "a sequence of numbers") from error
    require(values.ndim == 1, f"shape of the {what}", values.shape, "one dimension, a norm for each step")
    for step in np.flatnonzero((values < 0) | (np.isfinite(values) & (values > LARGEST)))[:1]:
        allowed = f"0 to {LARGEST:g}; inf or nan for a step that was skipped"
        raise BadValue(f"{what}[{step}]", float(values[step]), allowed)
    return values


def _checked_block(what: str, norms: ArrayLike, steps: int) -> Floats:
    values = _checked_norms(what, norms)
    require(values.size in (0, steps), f"number of {what}", values.size, f"{steps}, as of the whole, or none")
    return values


def _checked_drift(row: ArrayLike) -> Floats:
    """The drift of one run as an array (layers,), each 0 or more or not finite; empty where unknown."""
    try:
        values = np.asarray(row, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue("drift of a run", row, "a number for each layer, or nothing where it is not known") from error
    require(values.ndim == 1, "shape of a run's drift", values.shape, "one dimension, a number for each layer")
    for layer in np.flatnonzero(np.isfinite(values) & ~((values >= 0) & (values <= LARGEST)))[:1]:
        allowed = f"0 to {LARGEST:g}, or not finite where unknown"
        raise BadValue(f"drift of layer {layer}", float(values[layer]), allowed)
    return values
