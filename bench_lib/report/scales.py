"""Axes on which the spread of the bulk can be seen, whatever lies far below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]
FAR = 3.0
"""Interquartile ranges below the lower quartile at which a score is far out (Tukey 1977)."""


@dataclass(frozen=True)
class Scales:
    """Limits in percent points: of the main panel, and of a panel for what lies below it, or None without such."""

    main: Range | None
    low: Range | None

    def shown(self) -> list[Range]:
        return [limits for limits in (self.low, self.main) if limits is not None]


def scales(survivors: np.ndarray, others: np.ndarray) -> Scales:
    """Limits for the scores of the runs that converged (n,) and for what else is to be seen (m,): failures, references.

    What is within the main panel's limits is shown there; the low panel ends where the main one begins.
    """
    if survivors.size == 0:
        return Scales(None, _padded(others, 1.0) if others.size else None)
    lower, upper = np.quantile(survivors, [0.25, 0.75])
    bulk = survivors[survivors >= lower - FAR * max(upper - lower, 0.1)]
    main = _padded(bulk, 0.1)
    rest = np.concatenate([survivors, others])
    below = rest[rest < main[0]]
    return Scales(main, (_padded(np.append(below, main[0]), 1.0)[0], main[0]) if below.size else None)


def _padded(values: np.ndarray, least: float) -> Range:
    low, high = float(values.min()), float(values.max())
    pad = max(0.06 * (high - low), least)
    return low - pad, high + pad


def scatter(count: int, width: float) -> np.ndarray:
    """Offsets (count,) that spread evenly over a width around 0, by the golden ratio: the same ones every time."""
    return ((np.arange(count) * 0.6180339887498949 + 0.5) % 1 - 0.5) * width
