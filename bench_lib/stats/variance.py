"""Variance components with intervals, from a design that varies one source at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, ndtri
from scipy.stats import trim_mean

from bench_lib.core.errors import require
from bench_lib.stats.spread import checked_scores

Floats = NDArray[np.float64]
Estimate = tuple[float, float, float]
"""A variance and the interval around it: (variance, low, high)."""

REST, TOTAL = "rest", "total"


@dataclass(frozen=True)
class Component:
    """The variance that a source adds, in squared units of the scores, with its interval (low, high).

    `variance` is the estimate, which may be negative; `share` is that of the truncated variance in the total. `note`
    gives the reason for values that are nan, and other parts that the variance includes.
    """

    source: str
    variance: float
    low: float
    high: float
    share: float
    note: str = ""

    @property
    def truncated(self) -> float:
        """The variance, or zero for a negative estimate."""
        return max(self.variance, 0.0) if not math.isnan(self.variance) else math.nan


def one_at_a_time(
    groups: Mapping[str, ArrayLike], together: ArrayLike, confidence: float = 0.95
) -> tuple[Component, ...]:
    """Variance components of each source, `rest` and `total`, from runs that vary one source or all of them.

    `groups` maps each source to the scores (n_s,) of the runs that vary only this source, with the others fixed at a
    reference; `together` holds the scores (n,) of the runs that vary all. Their variance is the total; the rest is the
    total minus the sources and may be negative. The variance of a source contains its interactions with the others at
    their reference (averaged over references, the total effect of Homma and Saltelli 1996), so interactions count
    several times and lower the rest, while sources without a group raise it.

    Intervals are those of `variance_interval`; that of the rest combines them (Zou and Donner 2008), assuming that no
    run belongs to two groups. Fewer than two scores have no variance: it is nan, and so are the rest and the shares
    that would need it. Shares are nan too where the total is 0.
    """
    check_sources(groups)
    found = {name: _estimate(scores, confidence) for name, scores in groups.items()}
    total = _estimate(together, confidence)
    short = [name for name, one in {**found, TOTAL: total}.items() if math.isnan(one[0])]
    rest = difference(total, list(found.values()))
    notes = dict.fromkeys(short, "fewer than two runs")
    if short:
        notes[REST] = f"fewer than two runs: {', '.join(short)}"
    entries = {**found, REST: rest, TOTAL: total}
    return tuple(component(name, one, total[0], notes.get(name, "")) for name, one in entries.items())


def variance_interval(scores: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) of the variance of scores (n,), which need not be normal.

    Bonett's, from the kurtosis around a trimmed mean, on the scale of logarithms; for fewer than five scores, or not
    over twice the normal quantile, that of the normal distribution. (nan, nan) for fewer than two, (0, 0) without any
    spread. Where resampling 10 skewed scores covers 57 % at 95 % (BCa), this covers 88 %, and 95 % of normal ones.
    Source: Bonett 2006.
    """
    values = checked_scores(scores)
    require(0 < confidence < 1, "confidence", confidence, "between 0 and 1, both excluded")
    n = values.size
    if n < 2:
        return math.nan, math.nan
    width = float(np.ptp(values))
    if width == 0:
        return 0.0, 0.0
    # On the scale 0 to 1 neither the size of the scores nor their distance from zero costs precision.
    scaled = (values - values.min()) / width
    low, high = _ends(scaled, float(ndtri((1 + confidence) / 2)), confidence)
    return low * width * width, high * width * width


def component(source: str, estimate: Estimate, total: float, note: str = "") -> Component:
    """A component from its estimate and the total; its share is nan unless the total is above zero."""
    part = total if source == TOTAL else max(estimate[0], 0.0) if not math.isnan(estimate[0]) else math.nan
    return Component(source, *estimate, part / total if total > 0 else math.nan, note)


def check_sources(names: Iterable[str]) -> None:
    """Raise `BadValue` unless there are names of sources, all different, and none is reserved."""
    given = list(names)
    allowed = f"at least one name, each once, none of them {REST!r} or {TOTAL!r}"
    require(len(given) > 0 and len({*given, REST, TOTAL}) == len(given) + 2, "sources of variance", given, allowed)


def _estimate(scores: ArrayLike, confidence: float) -> Estimate:
    values = checked_scores(scores)
    low, high = variance_interval(values, confidence)
    return float(np.var(values - values[0], ddof=1)) if values.size >= 2 else math.nan, low, high


def difference(total: Estimate, parts: Sequence[Estimate]) -> Estimate:
    """The total less its parts, with the interval that follows from theirs (Zou and Donner 2008)."""
    rest = total[0] - sum(part[0] for part in parts)
    below = math.hypot(total[0] - total[1], *(part[2] - part[0] for part in parts))
    above = math.hypot(total[2] - total[0], *(part[0] - part[1] for part in parts))
    return rest, rest - below, rest + above


def _ends(scaled: Floats, reach: float, confidence: float) -> tuple[float, float]:
    n, variance = scaled.size, float(scaled.var(ddof=1))
    if n < 5 or n <= 2 * reach:
        tails = chdtri(n - 1, [(1 - confidence) / 2, (1 + confidence) / 2])
        return (n - 1) * variance / float(tails[0]), (n - 1) * variance / float(tails[1])
    middle = float(trim_mean(scaled, 1 / (2 * math.sqrt(n - 4))))
    kurtosis = n * float(((scaled - middle) ** 4).sum()) / ((n - 1) * variance) ** 2
    correction = n / (n - reach)
    error = correction * math.sqrt((kurtosis - (n - 3) / n) / (n - 1))
    centre = math.log(correction * variance)
    return math.exp(centre - reach * error), math.exp(centre + reach * error)
