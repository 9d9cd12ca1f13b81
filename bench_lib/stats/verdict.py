"""The verdict on one task: failures, spread and location against the baseline, in this order."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import require
from bench_lib.stats.compare import boschloo
from bench_lib.stats.design import Design, Levels, Margins
from bench_lib.stats.equivalence import Effect, log_mad_ratio, superiority_effect
from bench_lib.stats.failure import difference_interval
from bench_lib.stats.location import paired_permutation
from bench_lib.stats.paired import pitman_morgan

Floats = NDArray[np.float64]


class Stability(StrEnum):
    """What can be said of the technique's stability against the baseline's."""

    MORE = "more stable"
    LESS = "less stable"
    EQUIVALENT = "equivalent"
    UNDERPOWERED = "underpowered"


class Location(StrEnum):
    """What can be said of the technique's scores against the baseline's."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    OPEN = "open"


@dataclass(frozen=True, eq=False)
class Arms:
    """Two techniques on the same seeds in the same order: scores (seeds,), nan where the run failed."""

    technique: Floats
    baseline: Floats

    def __post_init__(self) -> None:
        shapes = self.technique.shape, self.baseline.shape
        require(shapes[0] == shapes[1] and len(shapes[0]) == 1, "shapes of the arms", shapes, "(seeds,) twice")

    @property
    def seeds(self) -> int:
        return int(self.technique.size)

    def first(self, seeds: int) -> Arms:
        """The arms as they were after so many seeds."""
        return Arms(self.technique[:seeds], self.baseline[:seeds])

    def failures(self) -> tuple[int, int]:
        return int(np.isnan(self.technique).sum()), int(np.isnan(self.baseline).sum())

    def pairs(self) -> tuple[Floats, Floats]:
        """The scores of the seeds with which neither arm failed."""
        both = ~np.isnan(self.technique) & ~np.isnan(self.baseline)
        return self.technique[both], self.baseline[both]


@dataclass(frozen=True)
class Verdict:
    """What the runs say at a look: two conclusions, and the evidence that they rest on.

    `decided_by` is the test that settled stability, empty where none did. `log_ratio` is of the MADs, `superiority` is
    P(technique > baseline); both are of the seeds that survived in both arms, and so are the p-values of spread and
    location, which are nan where fewer than three did.
    """

    seeds: int
    stability: Stability
    location: Location
    decided_by: str
    failures: tuple[int, int]
    p_failure: float
    p_spread: float
    p_location: float
    log_ratio: Effect
    superiority: Effect

    @property
    def sure(self) -> bool:
        """Whether more seeds would change nothing that matters."""
        return self.stability is not Stability.UNDERPOWERED or self.location is Location.WORSE

    @property
    def regression(self) -> bool:
        return self.stability is Stability.LESS or self.location is Location.WORSE


def judge(arms: Arms, design: Design, look: int, generator: np.random.Generator) -> Verdict:
    """The verdict of a look; the arms may have fewer seeds than it, where runs were lost to the machine."""
    require(arms.seeds <= look, "seeds of the arms", arms.seeds, f"at most {look}, as many as the look has")
    evidence = weighed(arms, generator)
    return concluded(evidence, design.levels(look, sum(evidence.failures)), design.margins)


def weighed(arms: Arms, generator: np.random.Generator) -> Verdict:
    """The evidence without any conclusion, its p-values by random permutations."""
    first, second = arms.pairs()
    p_spread = pitman_morgan(first, second, generator)
    p_location = paired_permutation(first, second, generator) if first.size >= 3 else math.nan
    return evidence_of(arms, p_spread, p_location)


def evidence_of(arms: Arms, p_spread: float, p_location: float) -> Verdict:
    """The evidence without any conclusion, given the p-values that were found by permutation."""
    pairs = arms.pairs()
    return Verdict(
        seeds=arms.seeds,
        stability=Stability.UNDERPOWERED,
        location=Location.OPEN,
        decided_by="",
        failures=arms.failures(),
        p_failure=boschloo(arms.failures()[0], arms.seeds, arms.failures()[1], arms.seeds),
        p_spread=p_spread,
        p_location=p_location,
        log_ratio=log_mad_ratio(*pairs, paired=True),
        superiority=superiority_effect(*pairs, paired=True),
    )


def concluded(evidence: Verdict, levels: Levels, margins: Margins) -> Verdict:
    """What the evidence says at these levels, whatever was concluded from it before."""
    decided_by, stability = _stability(evidence, levels, margins)
    location = _location(evidence, levels, margins.superiority)
    return dataclasses.replace(evidence, stability=stability, location=location, decided_by=decided_by)


def sequence(arms: Arms, design: Design, seed: int) -> Verdict:
    """The verdict of the first look that is sure, or of the last, for runs that are all there.

    Each look draws from a generator of its own, so that a comparison that is taken up again gives the same bits.
    """
    for look in design.looks:
        verdict = judge(arms.first(look), design, look, look_generator(seed, look))
        if verdict.sure:
            break
    return verdict


def look_generator(seed: int, look: int) -> np.random.Generator:
    """The generator of one look of one comparison."""
    return np.random.default_rng([seed, look])


def _stability(evidence: Verdict, levels: Levels, margins: Margins) -> tuple[str, Stability]:
    """The hurdle: failure rates first, then spread, then whether all is equivalent."""
    ours, theirs = evidence.failures
    if evidence.p_failure <= levels.failure:
        return "failures", Stability.LESS if ours > theirs else Stability.MORE
    if evidence.p_spread <= levels.spread and evidence.log_ratio.estimate != 0:
        return "spread", Stability.LESS if evidence.log_ratio.estimate > 0 else Stability.MORE
    if levels.equivalence == 0:
        return "", Stability.UNDERPOWERED
    reach = math.log(margins.ratio)
    outside = max(evidence.log_ratio.equivalence(-reach, reach), _elsewhere(evidence, margins.superiority))
    if outside <= levels.equivalence and _fail_alike(evidence, levels.equivalence, margins.failures):
        return "equivalence", Stability.EQUIVALENT
    return "", Stability.UNDERPOWERED


def _location(evidence: Verdict, levels: Levels, margin: float) -> Location:
    chance = evidence.superiority.estimate
    if evidence.p_location <= levels.location and (chance >= margin or chance <= 1 - margin):
        return Location.BETTER if chance >= margin else Location.WORSE
    return Location.SAME if _elsewhere(evidence, margin) < levels.equivalence else Location.OPEN


def _fail_alike(evidence: Verdict, level: float, margin: float) -> bool:
    """Whether the interval of the difference of failure rates lies inside the margin."""
    (ours, theirs), seeds = evidence.failures, evidence.seeds
    low, high = difference_interval(ours, seeds, theirs, seeds, 1 - 2 * level)
    return -margin < low and high < margin


def _elsewhere(evidence: Verdict, margin: float) -> float:
    """P that the scores of one arm are meaningfully above the other's."""
    return evidence.superiority.equivalence(1 - margin, margin)
