"""The noise floor: how far results of one seed lie apart, beside how far seeds lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from bench_lib.core.errors import require
from bench_lib.stats.spread import checked_scores
from bench_lib.stats.variance import Estimate, difference, variance_interval

Floats = NDArray[np.float64]
UNKNOWN = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Noise:
    """Spread within and between seeds, in the units of the scores; nan where unknown.

    `repeated` counts the seeds with several results, `freedom` the degrees of freedom within seeds. `sd` and `mad` are
    of the results of one seed. `between` is the standard deviation of seeds without that noise. Both standard
    deviations have an interval.
    """

    seeds: int
    repeated: int
    freedom: int
    sd: float
    sd_low: float
    sd_high: float
    mad: float
    between: float
    between_low: float
    between_high: float

    @property
    def ratio(self) -> float:
        """The noise over the spread of seeds; infinite where seeds do not differ by more than the noise."""
        if math.isnan(self.sd) or math.isnan(self.between):
            return math.nan
        return self.sd / self.between if self.between > 0 else math.inf if self.sd > 0 else math.nan


def noise(scores: ArrayLike, seeds: ArrayLike, confidence: float = 0.95) -> Noise:
    """The spread within and between seeds of scores (n,), whose seeds (n,) repeat where a run was made again.

    A score is the sum of its seed's effect and of independent noise of one variance. That is pooled over seeds, each
    corrected for its own mean (one-way analysis of variance), and its interval is that of the chi-square distribution.
    The MAD is the mean distance from the seed's mean, divided by what that mean takes away for normal noise. The
    variance between seeds is that of their means less what noise adds to it, and is 0 where that is more; its interval
    combines those of the two (`variance_interval`; Zou and Donner 2008).
    """
    values, labels = checked_scores(scores), np.asarray(seeds)
    require(labels.shape == values.shape, "shape of the seeds", labels.shape, f"{values.shape}, a seed for each score")
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1, both excluded")
    groups = [values[labels == label] for label in np.unique(labels)]
    # Distances from the first result of a seed: rounding then cannot make equal ones seem spread.
    means = [float((group - group[0]).mean()) for group in groups]
    distances = [np.abs(group - group[0] - mean) for group, mean in zip(groups, means, strict=True)]
    counts = np.array([group.size for group in groups], dtype=np.float64)
    within = _pooled(distances, values.size - len(groups), confidence)
    centres = np.array([group[0] + mean for group, mean in zip(groups, means, strict=True)])
    reach = float(np.sqrt(counts * (counts - 1)).sum())
    mad = float(sum(part.sum() for part in distances)) / reach if reach else math.nan
    sd, sd_low, sd_high = _roots(within)
    between, low, high = _roots(_between(centres, within, counts, confidence))
    repeated, freedom = int((counts > 1).sum()), values.size - len(groups)
    return Noise(len(groups), repeated, freedom, sd, sd_low, sd_high, mad, between, low, high)


def _roots(variance: Estimate) -> Estimate:
    middle, low, high = (value if math.isnan(value) else math.sqrt(max(value, 0.0)) for value in variance)
    return middle, low, high


def _pooled(distances: Sequence[Floats], freedom: int, confidence: float) -> Estimate:
    """The variance within seeds with its interval."""
    if not freedom:
        return UNKNOWN
    total = float(sum((part**2).sum() for part in distances))
    tails = chdtri(freedom, [(1 - confidence) / 2, (1 + confidence) / 2])
    return total / freedom, total / float(tails[0]), total / float(tails[1])


def _between(means: Floats, within: Estimate, counts: Floats, confidence: float) -> Estimate:
    """The variance of the seeds' means less the part of the noise, with its interval."""
    if means.size < 2 or math.isnan(within[0]):
        return UNKNOWN
    part = float((1 / counts).mean())
    variance, low, high = within
    total = float(np.var(means - means[0], ddof=1)), *variance_interval(means, confidence)
    return difference(total, [(variance * part, low * part, high * part)])
