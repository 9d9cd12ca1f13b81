"""How often the sequential comparison raises a false alarm, and what it finds: measured, not assumed."""

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
"""Draws the scores (2, n) of two arms that share their seeds, nan where a run failed; the first is that many times as
widely spread."""

SHARED = 0.3
"""Correlation of the arms in the scenarios that have one."""


@dataclass(frozen=True)
class Scenario:
    """A world in which the comparison is tried: how the scores of two arms come about."""

    name: str
    draw: Draw


@dataclass(frozen=True)
class Calibration:
    """What came of so many comparisons: shares of them, and seeds used on average for each task."""

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
    """Compare two arms again and again, one spread `ratio` times as wide as the other.

    `claims` is the share of repetitions in which any look of any test on any task claimed a difference, with its Wilson
    interval: false alarms where the ratio is 1. `found` is the share in which the first task's spread was found to
    differ in the right direction.
    """
    require(repetitions >= 1, "number of repetitions", repetitions, "1 or more")
    require(ratio > 0, "ratio of spreads", ratio, "above 0")
    runs = [_compared(scenario, design, ratio, [seed, number]) for number in range(repetitions)]
    claims = sum(any(map(claimed, verdicts)) for verdicts in runs)
    right = Stability.LESS if ratio > 1 else Stability.MORE
    found = sum(run[0].decided_by == "spread" and run[0].stability is right for run in runs) if ratio != 1 else 0
    equivalent = sum(run[0].stability is Stability.EQUIVALENT for run in runs)
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
        seeds=float(np.mean([verdict.seeds for run in runs for verdict in run])),
    )


def claimed(verdict: Verdict) -> bool:
    """Whether a verdict says that the arms differ in anything."""
    settled = verdict.stability in (Stability.MORE, Stability.LESS)
    return settled or verdict.location in (Location.BETTER, Location.WORSE)


@dataclass(frozen=True, eq=False)
class Pool:
    """Real runs as a world: arms drawn with replacement from their scores (runs,), nan where they failed.

    A wider arm is stretched about the median of the scores.
    """

    scores: Floats

    def __call__(self, generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
        middle = float(np.nanmedian(self.scores))
        arms = self.scores[generator.integers(0, self.scores.size, (2, seeds))] - middle
        return np.asarray(middle + arms * [[ratio], [1]], dtype=np.float64)


def resampled(name: str, scores: ArrayLike, failures: int) -> Scenario:
    """The scenario of a pool of real runs: the scores (n,) of those that survived, and how many failed."""
    survived = checked_scores(scores)
    require(survived.size >= 3, f"scores of {name}", survived.size, "3 or more to draw from")
    return Scenario(name, Pool(np.concatenate([survived, np.full(failures, np.nan)])))


def _compared(scenario: Scenario, design: Design, ratio: float, seed: Sequence[int]) -> list[Verdict]:
    """The verdicts of one comparison, one a task."""
    generator = np.random.default_rng(seed)
    verdicts = []
    for _ in range(design.tasks):
        arms = PairedSamples(*scenario.draw(generator, design.seeds, ratio))
        verdicts.append(sequential_verdict(arms, design, int(generator.integers(2**31))))
    return verdicts


def _normal(generator: np.random.Generator, seeds: int, ratio: float, shared: float = 0.0) -> Floats:
    draws = generator.normal(size=(3, seeds))
    return np.asarray((math.sqrt(1 - shared) * draws[:2] + math.sqrt(shared) * draws[2]) * [[ratio], [1]])


def _paired(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    return _normal(generator, seeds, ratio, SHARED)


def _skewed(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Scores with a long tail below, of skewness 3.7: log-normal with sigma 0.8, upside down, of a common median."""
    return np.asarray((1 - np.exp(0.8 * _normal(generator, seeds, 1, SHARED))) * [[ratio], [1]])


def _failing(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """One run in ten fails in either arm."""
    scores = _normal(generator, seeds, ratio)
    return np.where(generator.random(scores.shape) < 0.1, np.nan, scores)


def _tied(generator: np.random.Generator, seeds: int, ratio: float) -> Floats:
    """Accuracies on 400 items, of a standard deviation of one item in 400: few values, and many ties."""
    return np.asarray(np.round(400 * 0.85 + _normal(generator, seeds, ratio)) / 400)


SCENARIOS = (
    Scenario("normal", _normal),
    Scenario("normal, correlated arms", _paired),
    Scenario("skewed", _skewed),
    Scenario("one failure in ten", _failing),
    Scenario("heavy ties", _tied),
)
