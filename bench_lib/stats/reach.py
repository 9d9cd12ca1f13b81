"""Whether a contrast may still be decided by the last look, so that seeds are not spent where they decide nothing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from bench_lib.stats.compare import equivalent_failure_rates
from bench_lib.stats.design import Design, Levels, Rejections
from bench_lib.stats.verdict import Verdict

Floats = NDArray[np.float64]

LEAST_CHANCE = 0.1
"""Chance of a decision within the seeds below which a contrast of a sweep gets no more of them."""

OPTIMISM = 1.0
"""Standard errors by which the trend is taken to be larger than it looks: few seeds say little of it."""


def chance_of_decision(verdict: Verdict, look: int, design: Design, rejected: Rejections) -> float:
    """The chance that any test decides a contrast at the last look, given its evidence at an earlier one.

    Giving up a contrast with a small chance raises no false alarm, since it is tested less often (stochastic
    curtailment: Lan, Simon and Halperin 1982).
    """
    share = look / design.seeds
    levels = design.levels(design.seeds, round(sum(verdict.failures) / share), rejected)
    p_values = np.nan_to_num([[verdict.p_failure], [verdict.p_spread], [verdict.p_location]], nan=1.0)
    effect = verdict.log_ratio
    trend = np.array([effect.estimate]), np.array([effect.error]), np.array(verdict.lone_failures)[:, None]
    within = chance_of_equivalence(*trend, look, design, levels)
    return float(max(chance_of_difference(p_values, levels, share).max(), within[0]))


def chance_of_difference(p_values: Floats, levels: Levels, share: float) -> Floats:
    """The chances (contrasts,) that failures, spread or location differ significantly at the last look.

    `p_values` (3, contrasts) are those with this share of the last look's seeds. The normal statistic goes on as it did
    so far, with `OPTIMISM`.
    """
    if share >= 1:
        return np.zeros(p_values.shape[1])
    statistics = -ndtri(p_values / 2)
    bounds = -ndtri(np.array([levels.failure, levels.spread, levels.location]) / 2)[:, None]
    expected = statistics * math.sqrt(share) + (statistics + OPTIMISM) * (1 - share) / math.sqrt(share)
    return np.asarray(ndtr((expected - bounds) / math.sqrt(1 - share)).max(axis=0), dtype=np.float64)


def chance_of_equivalence(
    estimates: Floats, errors: Floats, lone: NDArray[np.int_], look: int, design: Design, levels: Levels
) -> Floats:
    """The chances (contrasts,) that the spreads are equivalent at the last look, given the log MAD ratios at a look.

    0 with more lone failures (2, contrasts) at the look than equivalence allows at the last one.
    """
    last = design.seeds
    if look >= last or levels.equivalence == 0:
        return np.zeros(estimates.shape)
    known = np.isfinite(estimates) & (errors > 0)
    sizes, errors = np.where(known, np.abs(estimates), np.inf), np.where(known, errors, 1.0)
    critical = float(stdtrit(last - 1, 1 - levels.equivalence))
    room = math.log(design.margins.ratio) - critical * errors * math.sqrt(look / last)
    step = errors * math.sqrt(1 - look / last)
    chances = ndtr((room - sizes) / step) - ndtr((-room - sizes) / step)
    # Samples without any spread, or without any difference in it, are as equivalent as they can be.
    found = np.where(known, np.maximum(chances, 0), np.where(estimates == 0, 1.0, 0.0))
    rates = equivalent_failure_rates(lone, (last, last), design.margins.failures)
    return np.where(rates <= levels.equivalence, found, 0.0)
