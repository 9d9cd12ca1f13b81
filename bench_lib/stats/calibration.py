"""False alarm rate and power of the sequential comparison, measured by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import require
from bench_lib.stats.design import Design
from bench_lib.stats.failure import wilson
from bench_lib.stats.spread import checked_scores
from bench_lib.stats.verdict import Location, PairedSamples, Stability, Verdict, sequential_verdict

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float], Floats]
"""Draws paired samples of scores (2, n), nan for a failed run, given a generator, n and the ratio of the spreads."""

SHARED = 0.3
"""Correlation of the paired samples in the correlated scenarios."""


@dataclass(frozen=True)
class Scenario:
    """A named distribution of paired samples; if `shifted`, one of them scores higher, whatever the spreads."""

    name: str
    draw: Draw
    shifted: bool = False


@dataclass(frozen=True)
class Calibration:
    """Result of a calibration: shares of the repetitions, and the mean number of seeds used for each task."""

    scenario: str
    tasks: int
    ratio: float
    repetitions: int
    claims: float
    low: float
    high: float
    found: float
    equivalent: float
    seeds: float


def calibrate(scenario: Scenario, design: Design, ratio: float, repetitions: int, seed: int = 0) -> Calibration:
    """Repeat the comparison on simulated paired samples whose spreads have the given ratio.

    `claims` is the share of repetitions with a claimed difference at any look, in any test, on any task, with its
    Wilson interval; at ratio 1 it is the false alarm rate. Claims of location do not count if the scenario is shifted.
    `found` is the share in which the test of spread decided the first task in the right direction.
    """
    require(repetitions >= 1, "number of repetitions", repetitions, "1 or more")
    require(ratio > 0, "ratio of spreads", ratio, "above 0")
    repeated = [_compare(scenario, design, ratio, [seed, number]) for number in range(repetitions)]
    claims = sum(any(claimed(verdict, scenario.shifted) for verdict in verdicts) for verdicts in repeated)
    right = Stability.LESS if ratio > 1 else Stability.MORE
    found = sum(run[0].decided_by == "spread" and run[0].stability is right for run in repeated) if ratio != 1 else 0
    equivalent = sum(run[0].stability is Stability.EQUIVALENT for run in repeated)
    low, high = wilson(claims, repetitions)
    return Calibration(
        scenario=scenario.name,
        tasks=design.tasks,
        ratio=ratio,
        repetitions=repetitions,
        claims=claims / repetitions,
        low=low,
        high=high,
        found=found / repetitions if ratio != 1 else math.nan,
        equivalent=equivalent / repetitions,
        seeds=float(np.mean([verdict.seeds for run in repeated for verdict in run])),
    )


def claimed(verdict: Verdict, shifted: bool = False) -> bool:
    """Whether a verdict claims any difference, of stability alone if the samples are shifted."""
    settled = verdict.stability in (Stability.MORE, Stability.LESS)
    return settled or (not shifted and verdict.location in (Location.BETTER, Location.WORSE))


@dataclass(frozen=True, eq=False)
class Resampling:
    """Draws paired samples with replacement from stored scores (runs,), nan for a failed run.

    The wider sample is scaled about the median of the scores.
    """

    scores: Floats

    def __call__(self, generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
        middle = float(np.nanmedian(self.scores))
        samples = self.scores[generator.integers(0, self.scores.size, (2, seeds))] - middle
        return np.asarray(middle + samples * [[ratio], [1]], dtype=np.float64)


def resampled(name: str, scores: ArrayLike, failures: int) -> Scenario:
    """A scenario resampled from stored runs: scores (n,) of the converged ones, and the number of failed ones."""
    converged = checked_scores(scores)
    require(converged.size >= 3, f"scores of {name}", converged.size, "3 or more to draw from")
    return Scenario(name, Resampling(np.concatenate([converged, np.full(failures, np.nan)])))


def _compare(scenario: Scenario, design: Design, ratio: float, seed: Sequence[int]) -> list[Verdict]:
    """The verdicts of one simulated comparison, one for each task."""
    generator = np.random.default_rng(seed)
    verdicts = []
    for _ in range(design.tasks):
        samples = PairedSamples(*scenario.draw(generator, design.seeds, ratio))
        verdicts.append(sequential_verdict(samples, design, int(generator.integers(2**31))))
    return verdicts


def _normal(generator: np.random.Generator, seeds: int, ratio: float, shared: float = 0.0) -> Floats:
    draws = generator.normal(size=(3, seeds))
    return np.asarray((math.sqrt(1 - shared) * draws[:2] + math.sqrt(shared) * draws[2]) * [[ratio], [1]])


def _paired(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    return _normal(generator, seeds, ratio, SHARED)


def _skewed(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Reflected log-normal scores, sigma 0.8, skewness -3.7, with a common median."""
    return np.asarray((1 - np.exp(0.8 * _normal(generator, seeds, 1, SHARED))) * [[ratio], [1]])


def _failing(generator: np.random.Generator, seeds: int, ratio: float, rate: float = 0.1) -> Floats:
    """Normal scores; this share of the runs fails, independently in both samples."""
    scores = _normal(generator, seeds, ratio)
    return np.where(generator.random(scores.shape) < rate, np.nan, scores)


def _often_failing(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    return _failing(generator, seeds, ratio, 0.3)


def _tied(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Accuracies on 400 items with a standard deviation of one item: few distinct values and many ties."""
    return np.asarray(np.round(400 * 0.85 + _normal(generator, seeds, ratio)) / 400)


def _heavy_tailed(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Scores by Student's distribution with three degrees of freedom."""
    return np.asarray(generator.standard_t(3, size=(2, seeds)) * [[ratio], [1]])


def _higher(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Normal scores; the first sample is higher by three standard deviations of the second."""
    return np.asarray(_normal(generator, seeds, ratio) + np.array([[3], [0]]))


SCENARIOS = (
    Scenario("normal", _normal),
    Scenario("normal, correlated arms", _paired),
    Scenario("skewed", _skewed),
    Scenario("one failure in ten", _failing),
    Scenario("heavy ties", _tied),
    Scenario("heavy tails", _heavy_tailed),
    Scenario("three failures in ten", _often_failing),
    Scenario("higher by three SD", _higher, shifted=True),
)
