"""Axis limits that show the spread of most scores, with outliers in a panel of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]
Floats = NDArray[np.float64]

FAR = 3.0
"""Interquartile ranges below the lower quartile from which a score is far out (Tukey 1977)."""


@dataclass(frozen=True)
class Scales:
    """Limits in percent of the main panel and of the panel below it; None for a panel without values."""

    main: Range | None
    low: Range | None

    @property
    def border(self) -> float:
        """The lower limit of the main panel; without one everything is below."""
        return self.main[0] if self.main else float("inf")


def scales(survivors: Floats, others: Floats) -> Scales:
    """Limits for the scores of the runs that converged (n,) and for other values (m,): failures, references.

    The low panel ends where the main one begins.
    """
    if survivors.size == 0:
        return Scales(None, _padded(others, 1.0) if others.size else None)
    lower, upper = np.quantile(survivors, [0.25, 0.75])
    bulk = survivors[survivors >= lower - FAR * max(upper - lower, 0.1)]
    main = _padded(bulk, 0.1)
    rest = np.concatenate([survivors, others])
    # Values above the converged scores, such as a constant baseline that no run reaches, are shown in the main panel.
    main = (main[0], max(main[1], round(float(rest.max()) + 0.1, 3)))
    below = rest[rest < main[0]]
    return Scales(main, (_padded(np.append(below, main[0]), 1.0)[0], main[0]) if below.size else None)


def _padded(values: Floats, least: float) -> Range:
    low, high = float(values.min()), float(values.max())
    pad = max(0.06 * (high - low), least)
    return round(low - pad, 3), round(high + pad, 3)
