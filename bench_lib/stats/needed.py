"""How many seeds would decide a contrast that is open, if it goes on as it did so far."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from bench_lib.stats.compare import equivalent_failure_rates
from bench_lib.stats.design import LEAST_FOR_EQUIVALENCE, Margins
from bench_lib.stats.power import SEEDS, seeds_needed
from bench_lib.stats.verdict import Verdict

Floats = NDArray[np.float64]

POWER = 0.8


def seeds_to_decide(
    verdict: Verdict, scores: Floats, levels: tuple[float, float], margins: Margins, generator: np.random.Generator
) -> float:
    """Seeds in all that decide an open contrast with a power of 0.8: nan where unknown, inf for more than can be said.

    `levels` are those of spread and of equivalence. A MAD ratio nearer to 1 than to the margin would be equivalent; for
    another one the test of spread is simulated from the baseline's scores (n,).
    """
    ratio = abs(verdict.log_ratio.estimate)
    if not math.isfinite(ratio):
        return math.nan
    if nears_equivalence(verdict, margins):
        return seeds_for_equivalence(verdict, levels[1], margins)
    return seeds_needed(scores, math.exp(ratio), levels[0], generator, POWER)


def nears_equivalence(verdict: Verdict, margins: Margins) -> bool:
    """Whether the MAD ratio is nearer to 1 than to the margin, so that more seeds would rather show equivalence."""
    return abs(verdict.log_ratio.estimate) <= math.log(margins.ratio) / 2


def seeds_for_equivalence(verdict: Verdict, level: float, margins: Margins) -> float:
    """Seeds in all that show stability to be equivalent with a power of 0.8; inf beyond the last of `power.SEEDS`.

    The larger number of those that the spreads need, whose interval narrows with the root of the seeds, and the failure
    rates, whose lone failures come as often as they did.
    """
    room = math.log(margins.ratio) - abs(verdict.log_ratio.estimate)
    seeds, error = verdict.seeds, verdict.log_ratio.error
    if not room > 0 or math.isnan(error):
        return math.inf
    reach = float(stdtrit(max(seeds - 1, 2), 1 - level) + ndtri(POWER))
    least = max(seeds * (reach * error / room) ** 2, LEAST_FOR_EQUIVALENCE)
    rates = np.array(verdict.lone_failures) / verdict.sizes
    numbers = np.arange(math.ceil(min(least, SEEDS[-1] + 1)), SEEDS[-1] + 1)
    lone = np.ceil(rates[:, None] * numbers)
    enough = equivalent_failure_rates(lone, [numbers, numbers], margins.failures) <= level
    return float(numbers[enough.argmax()]) if enough.any() else math.inf
