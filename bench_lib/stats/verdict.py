"""The verdict on one task: tests of failures, spread and location against the baseline, in this order."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import require
from bench_lib.stats.compare import boschloo, equivalent_failure_rates
from bench_lib.stats.design import Design, Levels, Margins
from bench_lib.stats.equivalence import Effect, log_mad_ratio, superiority_effect
from bench_lib.stats.location import paired_permutation
from bench_lib.stats.paired import distance_rank_test

Floats = NDArray[np.float64]


class Stability(StrEnum):
    """Conclusion on the technique's stability relative to the baseline."""

    MORE = "more stable"
    LESS = "less stable"
    EQUIVALENT = "equivalent"
    UNDERPOWERED = "underpowered"


class Location(StrEnum):
    """Conclusion on the technique's scores relative to the baseline."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    OPEN = "open"


@dataclass(frozen=True, eq=False)
class PairedSamples:
    """Scores (seeds,) of technique and baseline on the same seeds in the same order; nan for a failed run."""

    technique: Floats
    baseline: Floats

    def __post_init__(self) -> None:
        shapes = self.technique.shape, self.baseline.shape
        require(
            shapes[0] == shapes[1] and len(shapes[0]) == 1, "shapes of the paired samples", shapes, "(seeds,) twice"
        )

    @property
    def seeds(self) -> int:
        return int(self.technique.size)

    def first(self, seeds: int) -> PairedSamples:
        """The samples of the first `seeds` seeds."""
        return PairedSamples(self.technique[:seeds], self.baseline[:seeds])

    def failures(self) -> tuple[int, int]:
        return int(np.isnan(self.technique).sum()), int(np.isnan(self.baseline).sum())

    def lone_failures(self) -> tuple[int, int]:
        """The numbers of seeds on which only the technique and only the baseline failed."""
        ours, theirs = np.isnan(self.technique), np.isnan(self.baseline)
        return int((ours & ~theirs).sum()), int((theirs & ~ours).sum())

    def pairs(self) -> tuple[Floats, Floats]:
        """The scores of the seeds that converged for both."""
        both = ~np.isnan(self.technique) & ~np.isnan(self.baseline)
        return self.technique[both], self.baseline[both]


@dataclass(frozen=True)
class Verdict:
    """The conclusions on stability and location at a look, with the evidence.

    `decided_by` names the test that decided on stability, empty if none did. `log_ratio` is the log of the MAD ratio,
    `superiority` is P(technique > baseline). These and the p-value of location use only the seeds that converged for
    both; with fewer than three such seeds the p-values of spread and location are nan. `lone_failures` are on
    seeds where only the technique or only the baseline failed. Where the samples are not paired, they are all failures,
    and `baseline_seeds` are those of the baseline.
    """

    seeds: int
    stability: Stability
    location: Location
    decided_by: str
    failures: tuple[int, int]
    lone_failures: tuple[int, int]
    p_failure: float
    p_spread: float
    p_location: float
    log_ratio: Effect
    superiority: Effect
    baseline_seeds: int | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of seeds of technique and baseline."""
        return self.seeds, self.seeds if self.baseline_seeds is None else self.baseline_seeds

    @property
    def sure(self) -> bool:
        """Whether the comparison can stop: stability is decided, or the technique scores worse."""
        return self.stability is not Stability.UNDERPOWERED or self.location is Location.WORSE

    @property
    def regression(self) -> bool:
        return self.stability is Stability.LESS or self.location is Location.WORSE


def judge(samples: PairedSamples, design: Design, look: int, generator: np.random.Generator) -> Verdict:
    """The verdict at a look; the samples may have fewer seeds, if runs were lost to infrastructure."""
    require(
        samples.seeds <= look, "seeds of the paired samples", samples.seeds, f"at most {look}, as many as the look has"
    )
    evidence = permutation_evidence(samples, generator)
    return conclude(evidence, design.levels(look, sum(evidence.failures)), design.margins)


def permutation_evidence(samples: PairedSamples, generator: np.random.Generator) -> Verdict:
    """Evidence without conclusions, with p-values from random permutations."""
    first, second = samples.pairs()
    p_spread = distance_rank_test(samples.technique, samples.baseline, generator)
    p_location = paired_permutation(first, second, generator) if first.size >= 3 else math.nan
    return evidence_from(samples, p_spread, p_location)


def evidence_from(samples: PairedSamples, p_spread: float, p_location: float) -> Verdict:
    """Evidence without conclusions, from the samples and the p-values of the permutation tests."""
    pairs = samples.pairs()
    return Verdict(
        seeds=samples.seeds,
        stability=Stability.UNDERPOWERED,
        location=Location.OPEN,
        decided_by="",
        failures=samples.failures(),
        lone_failures=samples.lone_failures(),
        p_failure=boschloo(samples.failures()[0], samples.seeds, samples.failures()[1], samples.seeds),
        p_spread=p_spread,
        p_location=p_location,
        log_ratio=log_mad_ratio(*pairs, paired=True),
        superiority=superiority_effect(*pairs, paired=True),
    )


def conclude(evidence: Verdict, levels: Levels, margins: Margins) -> Verdict:
    """Draw the conclusions from the evidence at these levels; earlier conclusions are replaced."""
    decided_by, stability = _stability(evidence, levels, margins)
    location = _location(evidence, levels, margins.superiority)
    return dataclasses.replace(evidence, stability=stability, location=location, decided_by=decided_by)


def sequential_verdict(samples: PairedSamples, design: Design, seed: int) -> Verdict:
    """The verdict of the first sure look, or of the last look, given all runs.

    Each look has its own generator, so a resumed comparison gives identical results.
    """
    for look in design.looks:
        verdict = judge(samples.first(look), design, look, look_generator(seed, look))
        if verdict.sure:
            break
    return verdict


def look_generator(seed: int, look: int) -> np.random.Generator:
    """The random generator for one look of a comparison."""
    return np.random.default_rng([seed, look])


def _stability(evidence: Verdict, levels: Levels, margins: Margins) -> tuple[str, Stability]:
    """The deciding test and its conclusion: failure rates first, then spread, then equivalence."""
    ours, theirs = evidence.failures
    if evidence.p_failure <= levels.failure:
        fewer = ours * evidence.sizes[1] <= theirs * evidence.sizes[0]
        return "failures", Stability.MORE if fewer else Stability.LESS
    if evidence.p_spread <= levels.spread and evidence.log_ratio.estimate != 0:
        return "spread", Stability.LESS if evidence.log_ratio.estimate > 0 else Stability.MORE
    if levels.equivalence == 0:
        return "", Stability.UNDERPOWERED
    log_margin = math.log(margins.ratio)
    p_equivalence = max(
        evidence.log_ratio.equivalence(-log_margin, log_margin), _location_p(evidence, margins.superiority)
    )
    if p_equivalence <= levels.equivalence and _equivalent_failure_rates(
        evidence, levels.equivalence, margins.failures
    ):
        return "equivalence", Stability.EQUIVALENT
    return "", Stability.UNDERPOWERED


def _location(evidence: Verdict, levels: Levels, margin: float) -> Location:
    superiority = evidence.superiority.estimate
    if evidence.p_location <= levels.location and (superiority >= margin or superiority <= 1 - margin):
        return Location.BETTER if superiority >= margin else Location.WORSE
    return Location.SAME if _location_p(evidence, margin) < levels.same else Location.OPEN


def _equivalent_failure_rates(evidence: Verdict, level: float, margin: float) -> bool:
    """Whether the failure rates differ by less than the margin."""
    return bool(equivalent_failure_rates(evidence.lone_failures, evidence.sizes, margin) <= level)


def _location_p(evidence: Verdict, margin: float) -> float:
    """p-value of the equivalence test that P(technique > baseline) lies within the margin."""
    return evidence.superiority.equivalence(1 - margin, margin)
