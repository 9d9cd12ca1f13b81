"""Tests of two samples that share no seeds: their spread and their location, by permuting which run is whose."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.compare import boschloo
from bench_lib.stats.equivalence import log_mad_ratio, superiority_effect
from bench_lib.stats.flips import RESAMPLES
from bench_lib.stats.paired import FEWEST, LATTICE, midranks
from bench_lib.stats.spread import checked_scores
from bench_lib.stats.verdict import Location, Stability, Verdict

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""A number for each row of labels (..., runs), 1 for the runs of the first sample: (...)."""

CHUNK = 2**20
"""Labels drawn at a time."""


@dataclass(frozen=True, eq=False)
class UnpairedSamples:
    """Scores (runs,) of technique and baseline, each with seeds of its own; nan for a failed run."""

    technique: Floats
    baseline: Floats

    def failures(self) -> tuple[int, int]:
        return int(np.isnan(self.technique).sum()), int(np.isnan(self.baseline).sum())

    def converged(self) -> tuple[Floats, Floats]:
        return self.technique[~np.isnan(self.technique)], self.baseline[~np.isnan(self.baseline)]


def unpaired_evidence(samples: UnpairedSamples, generator: np.random.Generator, resamples: int = RESAMPLES) -> Verdict:
    """Evidence without conclusions, as of paired samples, from independent ones."""
    first, second = samples.converged()
    ours, theirs = samples.failures()
    sizes = int(samples.technique.size), int(samples.baseline.size)
    p_spread, p_location = permutation_tests(first, second, generator, resamples)
    return Verdict(
        seeds=sizes[0],
        baseline_seeds=sizes[1],
        stability=Stability.UNDERPOWERED,
        location=Location.OPEN,
        decided_by="",
        failures=(ours, theirs),
        lone_failures=(ours, theirs),
        p_failure=boschloo(ours, sizes[0], theirs, sizes[1]),
        p_spread=p_spread,
        p_location=p_location,
        log_ratio=log_mad_ratio(first, second),
        superiority=superiority_effect(first, second),
    )


def permutation_tests(
    a: ArrayLike, b: ArrayLike, generator: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Two-sided p-values of equal spread and of equal location of scores a (n_a,) and b (n_b,).

    The null distribution comes from drawing which runs are a's. Spread: the mean rank of the distances within a less
    that within b, among the distances of all runs; the larger p-value of the scores as they are, which is exact for
    equal distributions, and of the scores moved to a common location, as in `paired.distance_rank_test`. Location: the
    difference of the means over its standard error, right for unequal spreads with many runs. nan for fewer than
    `FEWEST` scores in a sample. Source: Lehmann 1951, Janssen 1997.
    """
    first, second = checked_scores(a), checked_scores(b)
    require(resamples >= 99, "number of resamples", resamples, "99 or more")
    if min(first.size, second.size) < FEWEST:
        return math.nan, math.nan
    shift = np.median(first[:, None] - second)
    moved, whole = np.concatenate([first - shift, second]), np.concatenate([first, second])
    noise = LATTICE * float(np.abs(whole).max())
    statistics = [_spread(whole, first.size, noise), _spread(moved, first.size, noise), _location(whole, noise)]
    p_values = _permuted(statistics, first.size, whole.size, generator, resamples)
    return max(p_values[:2]), p_values[2]


def _spread(scores: Floats, size: int, noise: float) -> Statistic:
    """The mean rank of the distances within the first sample less that within the second."""
    one, other = np.triu_indices(scores.size, 1)
    ranks = np.zeros((scores.size, scores.size))
    found = midranks(np.abs(scores[one] - scores[other]), noise)
    # Centred, so that the sum over all pairs of runs is 0.
    ranks[one, other] = ranks[other, one] = found - found.mean()
    sums, rest = ranks.sum(axis=1), scores.size - size

    def statistic(labels: Floats) -> Floats:
        inner = ((labels @ ranks) * labels).sum(axis=-1)
        outer = inner - 2 * labels @ sums
        return np.asarray(inner / (size * (size - 1)) - outer / (rest * (rest - 1)), dtype=np.float64)

    return statistic


def _location(scores: Floats, noise: float) -> Statistic:
    """Welch's statistic; infinite for means that differ without any spread."""
    centred = scores - scores.mean()
    squares, total = centred**2, centred @ centred

    def statistic(labels: Floats) -> Floats:
        size = labels.sum(axis=-1)
        rest = scores.size - size
        sums, inner = labels @ centred, labels @ squares
        difference = sums / size + sums / rest
        errors = (inner - sums**2 / size) / (size * (size - 1)) + (total - inner - sums**2 / rest) / (rest * (rest - 1))
        difference = np.where(np.abs(difference) <= noise, 0, difference)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(difference == 0, 0, difference / np.sqrt(np.where(errors <= noise**2, 0, errors)))

    return statistic


def _permuted(
    statistics: list[Statistic], size: int, runs: int, generator: np.random.Generator, resamples: int
) -> list[float]:
    """The p-value of each statistic, all from the same random labels and the observed ones."""
    observed = [abs(float(statistic((np.arange(runs) < size).astype(np.float64)))) for statistic in statistics]
    reached = [1] * len(statistics)
    for labels in _labels(size, runs, generator, resamples):
        for number, statistic in enumerate(statistics):
            # Scores lie on a lattice: values that are equal but for rounding count as equal.
            least = observed[number] * (1 - 1e-9) - 1e-9 * math.isfinite(observed[number])
            reached[number] += int((np.abs(statistic(labels)) >= least).sum())
    return [count / (resamples + 1) for count in reached]


def _labels(size: int, runs: int, generator: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """Random labels in chunks: (drawn, runs) of 0 and 1, with `size` ones in each row."""
    most = max(1, CHUNK // runs)
    for start in range(0, resamples, most):
        order = generator.random((min(most, resamples - start), runs)).argsort(axis=-1)
        yield (order < size).astype(np.float64)
