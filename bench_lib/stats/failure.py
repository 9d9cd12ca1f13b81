"""Intervals of failure rates."""

from __future__ import annotations

import functools
import math
from numbers import Integral

from scipy.stats import binomtest

from bench_lib.core.errors import require


def wilson(failures: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (low, high) of the failure rate, from the failures in n runs.

    (0, 1) for n = 0: nothing is known. Source: Wilson 1927, without continuity correction.
    """
    failures, n = checked_counts(failures, n)
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1, both excluded")
    return _wilson(failures, n, confidence)


@functools.lru_cache(maxsize=2**16)
def _wilson(failures: int, n: int, confidence: float) -> tuple[float, float]:
    # Cells have few different counts, and a report asks for those of each cell many times.
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(failures, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def difference_interval(
    failures_a: int, n_a: int, failures_b: int, n_b: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Newcombe's interval (low, high) of the failure rate of a minus that of b, from the two Wilson intervals.

    (-1, 1) where either sample has no runs. Source: Newcombe 1998, method 10.
    """
    first, second = wilson(failures_a, n_a, confidence), wilson(failures_b, n_b, confidence)
    if n_a == 0 or n_b == 0:
        return -1.0, 1.0
    rates = failures_a / n_a, failures_b / n_b
    below = math.hypot(rates[0] - first[0], second[1] - rates[1])
    above = math.hypot(first[1] - rates[0], rates[1] - second[0])
    return rates[0] - rates[1] - below, rates[0] - rates[1] + above


def checked_counts(failures: int, n: int) -> tuple[int, int]:
    """The counts as plain integers; anything but whole numbers with 0 <= failures <= n raises `BadValue`."""
    require(isinstance(n, Integral) and n >= 0, "number of runs", n, "a whole number, 0 or more")
    in_range = isinstance(failures, Integral) and 0 <= failures <= n
    require(in_range, "number of failures", failures, f"a whole number from 0 to the {n} runs")
    return int(failures), int(n)
