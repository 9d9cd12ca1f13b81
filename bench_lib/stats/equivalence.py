"""Effect sizes relative to the baseline, with confidence intervals and equivalence tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import rankdata

from bench_lib.core.errors import require
from bench_lib.stats.bootstrap import checked_samples
from bench_lib.stats.spread import mad

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """An estimate with its standard error on the scale where it is near normal, and its degrees of freedom.

    The standard error is nan where it is not defined, and so are the interval and the p-value then.
    """

    estimate: float
    error: float
    freedom: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's interval (low, high); (x, x) where the error is 0."""
        require(0 < confidence < 1, "confidence", confidence, "between 0 and 1, both excluded")
        if math.isnan(self.error):
            return math.nan, math.nan
        reach = self.error * float(stdtrit(self.freedom, (1 + confidence) / 2)) if self.error else 0.0
        return self.estimate - reach, self.estimate + reach

    def equivalence(self, low: float, high: float) -> float:
        """P of two one-sided tests that the effect lies outside (low, high): small where it lies inside.

        1 where the error is not defined. Source: Schuirmann 1987.
        """
        require(low < high, "margin", (low, high), "a low end below the high end")
        if math.isnan(self.error):
            return 1.0
        if self.error == 0:
            return 0.0 if low < self.estimate < high else 1.0
        ends = ((low - self.estimate) / self.error, (self.estimate - high) / self.error)
        return float(max(stdtr(self.freedom, ends[0]), stdtr(self.freedom, ends[1])))


def log_mad_ratio(a: ArrayLike, b: ArrayLike, paired: bool = False) -> Effect:
    """The logarithm of MAD(a) over MAD(b) for scores (n_a,) and (n_b,); paired scores share their seeds.

    The standard error comes from the influence functions. If neither sample has spread, the effect and error are 0;
    the error is nan if only one has none, or with fewer than three scores. Source: the delta method, Hampel
    1974.
    """
    first, second = checked_samples(a, b, paired)
    if min(first.size, second.size) < 3:
        return Effect(math.nan, math.nan, math.nan)
    spreads = mad(first), mad(second)
    if spreads == (0.0, 0.0):
        return Effect(0.0, 0.0, math.inf)
    if min(spreads) == 0:
        return Effect(-math.inf if spreads[0] == 0 else math.inf, math.nan, math.nan)
    return _contrast(math.log(spreads[0] / spreads[1]), _influence(first), _influence(second), paired)


def superiority_effect(a: ArrayLike, b: ArrayLike, paired: bool = False) -> Effect:
    """P(A > B) for scores (n_a,) and (n_b,) of independent draws, ties counted by half.

    The standard error comes from the placements, or from their differences if paired. It is 0 for samples that do not
    overlap, which is the limit for many seeds and too small for few. nan for fewer than three scores in a sample.
    Source: DeLong et al. 1988.
    """
    first, second = checked_samples(a, b, paired)
    if min(first.size, second.size) < 3:
        return Effect(math.nan, math.nan, math.nan)
    joint = rankdata(np.concatenate([first, second]))
    above = (joint[: first.size] - rankdata(first)) / second.size  # share of b below each of a
    below = (joint[first.size :] - rankdata(second)) / first.size
    return _contrast(float(above.mean()), above, below, paired)


def _contrast(estimate: float, first: Floats, second: Floats, paired: bool) -> Effect:
    """An estimate whose error is that of mean(first) - mean(second)."""
    if paired:
        return Effect(estimate, _error(first - second), first.size - 1)
    parts = _error(first) ** 2, _error(second) ** 2
    if sum(parts) == 0:
        return Effect(estimate, 0.0, math.inf)
    # Welch and Satterthwaite
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.size - 1) + parts[1] ** 2 / (second.size - 1))
    return Effect(estimate, math.sqrt(sum(parts)), freedom)


def _error(values: Floats) -> float:
    return float(values.std(ddof=1)) / math.sqrt(values.size)


def _influence(values: Floats) -> Floats:
    """The influence of each score on the logarithm of the MAD, by its own distance and through the mean."""
    offsets = values - values.mean()
    lean = float(np.mean(offsets < 0) - np.mean(offsets > 0))
    return np.asarray((np.abs(offsets) + lean * offsets) / np.abs(offsets).mean(), dtype=np.float64)
