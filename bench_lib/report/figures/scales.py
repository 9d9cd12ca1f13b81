"""Axes on which the spread of the bulk can be seen, whatever lies far below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]
Floats = NDArray[np.float64]

FAR = 3.0
"""Interquartile ranges below the lower quartile at which a score is far out (Tukey 1977)."""


@dataclass(frozen=True)
class Scales:
    """Limits in percent: of the main panel, and of one for what lies below it; None where there is nothing to show."""

    main: Range | None
    low: Range | None

    @property
    def border(self) -> float:
        """Where the main panel begins; without one everything lies below."""
        return self.main[0] if self.main else float("inf")


def scales(survivors: Floats, others: Floats) -> Scales:
    """Limits for the scores of the runs that converged (n,) and for what else is to be seen (m,): failures, references.

    The low panel ends where the main one begins.
    """
    if survivors.size == 0:
        return Scales(None, _padded(others, 1.0) if others.size else None)
    lower, upper = np.quantile(survivors, [0.25, 0.75])
    bulk = survivors[survivors >= lower - FAR * max(upper - lower, 0.1)]
    main = _padded(bulk, 0.1)
    rest = np.concatenate([survivors, others])
    # What lies above the bulk without being of it, such as a constant baseline that nobody reaches, is shown beside it.
    main = (main[0], max(main[1], round(float(rest.max()) + 0.1, 3)))
    below = rest[rest < main[0]]
    return Scales(main, (_padded(np.append(below, main[0]), 1.0)[0], main[0]) if below.size else None)


def _padded(values: Floats, least: float) -> Range:
    low, high = float(values.min()), float(values.max())
    pad = max(0.06 * (high - low), least)
    return round(low - pad, 3), round(high + pad, 3)
