"""Verdicts on scores that were measured elsewhere, by the tests and error rates of all other verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import require
from bench_lib.core.spec import digest
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.design import FIRST_LOOK, Design, Margins
from bench_lib.stats.flips import RESAMPLES
from bench_lib.stats.needed import seeds_to_decide
from bench_lib.stats.power import detectable_ratio
from bench_lib.stats.spread import mad
from bench_lib.stats.unpaired import UnpairedSamples, unpaired_evidence
from bench_lib.stats.verdict import PairedSamples, Verdict

Floats = NDArray[np.float64]

CONTRASTS_PER_RESAMPLES = 20
"""Contrasts that share alpha for which `RESAMPLES` permutations are fine enough."""

MOST_RUNS = 2000
"""Largest number of runs of a technique on a task: distances between all runs are held at once."""

MOST_SIMULATED = 100
"""Largest number of seeds for which the detectable ratio is simulated."""


@dataclass(frozen=True, eq=False)
class SeedScores:
    """Scores (runs,) of a technique on a task, with the seeds where these are known.

    What is not finite is a failed run. `lost` counts runs that the machine ended and not the training; they are not
    among the scores.
    """

    scores: Floats
    seeds: tuple[int, ...] | None = None
    lost: int = 0

    def __post_init__(self) -> None:
        require(self.scores.ndim == 1, "shape of the scores", self.scores.shape, "(runs,)")
        require(self.scores.size <= MOST_RUNS, "number of runs", self.scores.size, f"{MOST_RUNS:,} on a task at most")
        if self.seeds is not None:
            allowed = f"one for each of the {self.scores.size} scores"
            require(len(self.seeds) == self.scores.size, "number of seeds", len(self.seeds), allowed)
            twice = next((seed for seed, count in Counter(self.seeds).items() if count > 1), None)
            require(twice is None, "a seed that stands twice", twice, "each seed once")


@dataclass(frozen=True)
class ScoreSettings:
    """How scores are read and compared: direction, collapse, pairing, error rate and margins.

    A score that is not better than `constant_baseline` is a collapsed run, which failed. `paired` of None pairs runs by
    their seeds where a first look's number of seeds is shared.
    """

    higher_is_better: bool = True
    constant_baseline: float | None = None
    paired: bool | None = None
    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        require(0 < self.alpha < 0.5, "alpha", self.alpha, "between 0 and 0.5, both excluded")
        constant = self.constant_baseline
        require(constant is None or math.isfinite(constant), "constant baseline", constant, "a finite number, or None")

    def judged(self, scores: Floats) -> Floats:
        """The scores with nan for failed runs, such that higher is better."""
        sign = 1.0 if self.higher_is_better else -1.0
        signed = sign * np.where(np.isfinite(scores), scores, math.nan)
        return (
            signed
            if self.constant_baseline is None
            else np.where(signed > sign * self.constant_baseline, signed, math.nan)
        )


@dataclass(frozen=True)
class Side:
    """Runs of one of two techniques on a task; `unused` ones have seeds that the other lacks.

    Mean, MAD and worst score are of all that converged, nan for none. `alike` of them have the worst score, where that
    may be what a constant predictor scores: two or more, further from the rest than the rest from each other.
    """

    runs: int
    failed: int
    lost: int
    unused: int
    mean: float
    mad: float
    worst: float
    alike: int = 0


@dataclass(frozen=True)
class ScoreVerdict:
    """The verdict on one task, and what it rests on.

    `detectable` is the smallest MAD ratio that as many seeds find with power 0.8, and `missing` how many more seeds
    would decide; nan where the baseline's scores are too few or all equal.
    """

    task: str
    verdict: Verdict
    paired: bool
    tested: bool
    sides: tuple[Side, Side]
    detectable: float
    missing: float

    def ratio(self) -> tuple[float, float, float]:
        """(estimate, low, high) of the MAD ratio, with a 95 % interval."""
        effect = self.verdict.log_ratio
        low, high = (math.exp(value) for value in effect.interval())
        return math.exp(effect.estimate), low, high

    def superiority(self) -> tuple[float, float, float]:
        """(estimate, low, high) of the chance that a run of the technique is better, with a 95 % interval."""
        low, high = self.verdict.superiority.interval()
        return self.verdict.superiority.estimate, max(low, 0.0), min(high, 1.0)


def compare_scores(
    tasks: Mapping[str, tuple[SeedScores, SeedScores]], settings: ScoreSettings | None = None
) -> list[ScoreVerdict]:
    """The verdict on each task, for (technique, baseline); the tasks share alpha as in `claims`.

    With fewer seeds in either sample than a first look takes, nothing is tested and nothing spent.
    """
    require(len(tasks) > 0, "tasks", [*tasks], "at least one")
    chosen = settings or ScoreSettings()
    samples = {task: _samples(pair, chosen) for task, pair in tasks.items()}
    evidence = {task: _evidence(task, found, len(tasks)) for task, found in samples.items()}
    tested = [task for task, one in evidence.items() if min(one.sizes) >= FIRST_LOOK]
    concluded = claims([evidence[task] for task in tested], chosen.margins, chosen.alpha) if tested else []
    verdicts = evidence | dict(zip(tested, concluded, strict=True))
    return [_verdict(task, tasks[task], samples[task], verdicts[task], (chosen, len(tested))) for task in tasks]


def _samples(pair: tuple[SeedScores, SeedScores], settings: ScoreSettings) -> PairedSamples | UnpairedSamples:
    ours, theirs = (settings.judged(np.asarray(side.scores, dtype=np.float64)) for side in pair)
    shared = shared_seeds(*pair)
    if settings.paired:
        known = all(side.seeds is not None for side in pair)
        require(known and len(shared) > 0, "number of shared seeds to pair by", len(shared), "1 or more")
    if settings.paired is False or (settings.paired is None and len(shared) < FIRST_LOOK):
        return UnpairedSamples(ours, theirs)
    places = [[(side.seeds or ()).index(seed) for seed in shared] for side in pair]
    return PairedSamples(ours[places[0]], theirs[places[1]])


def shared_seeds(one: SeedScores, other: SeedScores) -> list[int]:
    """The seeds of both, in ascending order."""
    return sorted({*(one.seeds or ())} & {*(other.seeds or ())})


def _evidence(task: str, samples: PairedSamples | UnpairedSamples, contrasts: int) -> Verdict:
    if isinstance(samples, PairedSamples):
        return exact_evidence(samples)
    generator = np.random.default_rng(int(digest(["unpaired", task]), 16))
    return unpaired_evidence(samples, generator, RESAMPLES * math.ceil(contrasts / CONTRASTS_PER_RESAMPLES))


def _verdict(
    task: str,
    pair: tuple[SeedScores, SeedScores],
    samples: PairedSamples | UnpairedSamples,
    verdict: Verdict,
    family: tuple[ScoreSettings, int],
) -> ScoreVerdict:
    settings, contrasts = family
    sides = [_side(side, settings, used) for side, used in zip(pair, verdict.sizes, strict=True)]
    baseline = samples.baseline[~np.isnan(samples.baseline)]
    reach = _reach(task, verdict, baseline, Design((1,), max(contrasts, 1), settings.alpha, margins=settings.margins))
    tested, paired = min(verdict.sizes) >= FIRST_LOOK, isinstance(samples, PairedSamples)
    return ScoreVerdict(task, verdict, paired, tested, (sides[0], sides[1]), *reach)


def _side(side: SeedScores, settings: ScoreSettings, used: int) -> Side:
    judged = settings.judged(np.asarray(side.scores, dtype=np.float64))
    good = side.scores[~np.isnan(judged)]
    worst = math.nan if not good.size else float(good.min() if settings.higher_is_better else good.max())
    return Side(
        runs=int(judged.size),
        failed=int(np.isnan(judged).sum()),
        lost=side.lost,
        unused=int(judged.size) - used,
        mean=float(good.mean()) if good.size else math.nan,
        mad=mad(good) if good.size > 1 else math.nan,
        worst=worst,
        alike=_alike(good, worst),
    )


def _alike(good: Floats, worst: float) -> int:
    rest = good[good != worst]
    apart = rest.size > 1 and np.abs(rest - worst).min() > np.ptp(rest)
    return good.size - rest.size if apart and good.size - rest.size > 1 else 0


def _reach(task: str, verdict: Verdict, baseline: Floats, design: Design) -> tuple[float, float]:
    """The detectable MAD ratio, and the seeds to add for a decision (`needed.seeds_to_decide`)."""
    seeds, generator = min(verdict.sizes), np.random.default_rng(int(digest(["power", task]), 16))
    level = Design((seeds,), design.tasks, design.alpha).levels(seeds, sum(verdict.failures)).spread if seeds else 0.0
    if level == 0 or seeds < 3:
        return math.nan, math.nan
    detectable = detectable_ratio(baseline, min(seeds, MOST_SIMULATED), level, generator)
    if verdict.sure:
        return detectable, 0.0
    levels = level, design.alpha / design.tasks
    needed = seeds_to_decide(verdict, baseline, levels, design.margins, generator)
    return detectable, max(needed, FIRST_LOOK, seeds + 1) - seeds
