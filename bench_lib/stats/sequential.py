"""Group-sequential testing: the share of alpha for each look, so that all looks together keep to alpha."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from bench_lib.core.errors import require

Floats = NDArray[np.float64]

GRID = 801
"""Grid points of the statistic's density at each look; twice as many change no level by 1e-5."""


def nominal_levels(looks: Sequence[int], alpha: float, power: float = 2.0) -> tuple[float, ...]:
    """The level at which to test at each look, (looks,): two-sided, for looks at rising numbers of seeds.

    When a share t of the last look's seeds is in, alpha * t^power may have been spent: power 1 is near Pocock's
    boundary, 3 near O'Brien and Fleming's (Kim and DeMets 1987; Lan and DeMets 1983). The statistics of the looks are
    jointly normal, those of n and m >= n seeds with correlation sqrt(n / m); the density of the paths that have not
    crossed is carried from look to look (Armitage, McPherson and Rowe 1969).
    """
    require(0 < alpha < 1, "alpha", alpha, "between 0 and 1, both excluded")
    rising = len(looks) > 0 and looks[0] > 0 and all(a < b for a, b in pairwise(looks))
    require(rising, "looks", list(looks), "rising numbers of seeds, at least one")
    require(0 < power <= 10, "spending power", power, "above 0, at most 10")
    shares = [look / looks[-1] for look in looks]
    spent = [alpha * share**power for share in shares]
    points, mass = np.zeros(1), np.ones(1)
    levels, before, paid = [], 0.0, 0.0
    for share, total in zip(shares, spent, strict=True):
        step, due = np.sqrt(share - before), total - paid
        bound = _bound(points, mass, step, due)
        levels.append(2 * float(ndtr(-bound / np.sqrt(share))))
        points, mass = _carried(points, mass, step, bound)
        before, paid = share, total
    return tuple(levels)


def _bound(points: Floats, mass: Floats, step: float, due: float) -> float:
    """The bound on the sum that paths first reach at this look with the given probability."""

    def excess(bound: float) -> float:
        return float(mass @ (ndtr((points - bound) / step) + ndtr((-bound - points) / step))) - due

    return float(brentq(excess, 0, 40, xtol=1e-12))


def _carried(points: Floats, mass: Floats, step: float, bound: float) -> tuple[Floats, Floats]:
    """The paths within the bound: their values and probabilities (trapezium rule)."""
    new = np.linspace(-bound, bound, GRID)
    density = np.exp(-0.5 * ((new[:, None] - points) / step) ** 2) @ mass / (step * np.sqrt(2 * np.pi))
    weights = np.full(GRID, new[1] - new[0])
    weights[[0, -1]] /= 2
    return new, density * weights
