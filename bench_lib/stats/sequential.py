"""Group-sequential testing: the share of alpha for each look, so that all looks together keep to alpha."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from bench_lib.core.errors import require

Floats = NDArray[np.float64]

Levels = tuple[float, ...]

RESERVE = 0.1
"""Share of alpha that the first stage of a comparison leaves for later ones."""

GRID = 801
"""Grid points of the statistic's density at each look; twice as many change no level by 1e-5."""


def nominal_levels(looks: Sequence[int], alpha: float, power: float = 2.0, stages: Sequence[int] = ()) -> Levels:
    """The level at which to test at each look, (looks,): two-sided, for looks at rising numbers of seeds.

    When a share t of the last look's seeds is in, alpha * t^power may have been spent: power 1 is near Pocock's
    boundary, 3 near O'Brien and Fleming's (Kim and DeMets 1987; Lan and DeMets 1983). The statistics of the looks are
    jointly normal, those of n and m >= n seeds with correlation sqrt(n / m); the density of the paths that have not
    crossed is carried from look to look (Armitage, McPherson and Rowe 1969). With `stages`, alpha is spent in stages as
    in `spent_in_stages`.
    """
    require(0 < alpha < 1, "alpha", alpha, "between 0 and 1, both excluded")
    rising = len(looks) > 0 and looks[0] > 0 and all(a < b for a, b in pairwise(looks))
    require(rising, "looks", list(looks), "rising numbers of seeds, at least one")
    require(0 < power <= 10, "spending power", power, "above 0, at most 10")
    whole = tuple((look / looks[-1]) ** power for look in looks)
    shares = spent_in_stages(looks, power, stages) if stages else whole
    points, mass = np.zeros(1), np.ones(1)
    levels, before, paid = [], 0.0, 0.0
    for time, total in zip([look / looks[-1] for look in looks], [alpha * share for share in shares], strict=True):
        step, due = np.sqrt(time - before), total - paid
        bound = _bound(points, mass, step, due)
        levels.append(2 * float(ndtr(-bound / np.sqrt(time))))
        points, mass = _carried(points, mass, step, bound)
        before, paid = time, total
    return tuple(levels)


def spent_in_stages(looks: Sequence[int], power: float, stages: Sequence[int]) -> Levels:
    """The share of alpha spent up to each look, (looks,), by a comparison that was continued.

    `stages` are the last looks of the stages. The first stage spends all but `RESERVE`, each further one half of what
    is left; within a stage from m to n seeds, k seeds have spent (k^power - m^power) / (n^power - m^power) of its
    share. What was spent up to a look does not depend on the stages after it, so that a comparison may be continued at
    any time. That looks are added on account of what was seen changes the error hardly (Lan and DeMets 1989).
    """
    ends = (0, *stages)
    rising = all(a < b for a, b in pairwise(ends)) and looks[-1] <= ends[-1]
    require(rising, "stages", list(stages), f"rising numbers of seeds, the last {looks[-1]} or more")
    whole = (0.0, *(1 - RESERVE / 2**number for number in range(len(stages))))
    places = [bisect.bisect_left(ends, look) for look in looks]
    return tuple(
        whole[k - 1] + (whole[k] - whole[k - 1]) * _way(ends[k - 1] ** power, look**power, ends[k] ** power)
        for k, look in zip(places, looks, strict=True)
    )


def _way(start: float, place: float, end: float) -> float:
    return (place - start) / (end - start)


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
