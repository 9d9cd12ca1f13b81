"""False alarms of a sweep until decided, and the runs it saves, measured by simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from bench_lib.core.errors import require
from bench_lib.stats.calibration import Scenario, claimed
from bench_lib.stats.claims import exact_evidence
from bench_lib.stats.compare import boschloo
from bench_lib.stats.design import Design, Levels, Rejections
from bench_lib.stats.failure import wilson
from bench_lib.stats.family import conclude_together, rejections
from bench_lib.stats.paired import spread_contributions
from bench_lib.stats.reach import chance_of_difference, chance_of_equivalence
from bench_lib.stats.verdict import PairedSamples, Stability, Verdict

Floats = NDArray[np.float64]

LENIENT = 5
"""Multiple of a test's level up to which its approximate p-value calls for the exact one."""

APPROXIMATE = 0.01
"""Approximate p-value up to which the exact one is taken whatever the level."""


@dataclass(frozen=True)
class Techniques:
    """Simulated techniques: their number, how many of them differ from the baseline, and by which ratio of spreads."""

    number: int
    different: int = 0
    ratio: float = 1.0

    def __post_init__(self) -> None:
        require(self.number >= 1, "number of techniques", self.number, "1 or more")
        within = 0 <= self.different <= self.number
        require(within, "number of different techniques", self.different, f"0 to {self.number}")
        require(self.ratio > 0, "ratio of spreads", self.ratio, "above 0")

    def ratios(self) -> Floats:
        return np.where(np.arange(self.number) < self.different, self.ratio, 1.0)


@dataclass(frozen=True)
class FamilyCalibration:
    """Result of a calibration: `alarms` and `found` are shares, `runs` the mean share of the runs of all seeds.

    `alarms` is the share of repetitions with any false claim at any look, with its Wilson interval: any difference of
    an identical technique; of a different one, failures or the wrong direction. `found` is the share of the contrasts
    of different techniques that the test of spread decided in the right direction; `decided` that of all contrasts
    with a sure verdict.
    """

    scenario: str
    techniques: int
    tasks: int
    stages: int
    different: int
    ratio: float
    repetitions: int
    alarms: float
    low: float
    high: float
    found: float
    decided: float
    runs: float


def calibrate_family(
    scenario: Scenario, design: Design, techniques: Techniques, repetitions: int, seed: int = 0
) -> FamilyCalibration:
    """Repeat a sweep until decided on simulated scores; the techniques share the baseline's sample of each task."""
    require(repetitions >= 1, "number of repetitions", repetitions, "1 or more")
    tasks = design.tasks // techniques.number
    whole = tasks * techniques.number == design.tasks
    require(whole, "number of techniques", techniques.number, f"a divisor of the {design.tasks} contrasts")
    repeated = [
        _Sweep.drawn(scenario, design, techniques, np.random.default_rng([seed, number])).outcome()
        for number in range(repetitions)
    ]
    alarms, found, decided, runs = np.array(repeated, dtype=np.float64).T
    low, high = wilson(int(alarms.sum()), repetitions)
    return FamilyCalibration(
        scenario=scenario.name,
        techniques=techniques.number,
        tasks=tasks,
        stages=max(1, len(design.stages)),
        different=techniques.different,
        ratio=techniques.ratio,
        repetitions=repetitions,
        alarms=float(alarms.mean()),
        low=low,
        high=high,
        found=float(found.mean()) / (techniques.different * tasks) if techniques.different else math.nan,
        decided=float(decided.mean()) / design.tasks,
        runs=float(runs.mean()) / ((techniques.number + 1) * tasks * design.seeds),
    )


@dataclass(eq=False)
class _Sweep:
    """A simulated sweep: scores of techniques and baseline (contrasts, seeds), task by task."""

    design: Design
    techniques: Techniques
    ours: Floats
    theirs: Floats
    shifted: bool

    @classmethod
    def drawn(
        cls, scenario: Scenario, design: Design, techniques: Techniques, generator: np.random.Generator
    ) -> _Sweep:
        tasks = design.tasks // techniques.number
        drawn = [scenario.draw(generator, design.seeds, techniques.ratios()) for _ in range(tasks)]
        theirs = [np.broadcast_to(task[-1:], (techniques.number, design.seeds)) for task in drawn]
        ours = np.concatenate([task[:-1] for task in drawn])
        return cls(design, techniques, ours, np.concatenate(theirs), scenario.shifted)

    def outcome(self) -> tuple[bool, int, int, int]:
        """Whether any claim was false, and the numbers of differences found, contrasts decided and runs used."""
        ratios = np.tile(self.techniques.ratios(), len(self.ours) // self.techniques.number)
        sure: dict[int, Verdict] = {}
        seeds, alarm = np.full(len(self.ours), self.design.seeds), False
        open_contrasts = np.arange(len(self.ours))
        for look in self.design.looks:
            evidence, chances = self.evidence(look, open_contrasts, sure)
            new = conclude_together(evidence, look, self.design, sure.values())
            alarm |= any(is_false(verdict, float(ratios[index]), self.shifted) for index, verdict in new.items())
            sure |= {index: verdict for index, verdict in new.items() if verdict.sure}
            gone = np.isin(open_contrasts, [*sure]) | (chances < self.design.least_chance)
            seeds[open_contrasts[gone]] = look
            open_contrasts = open_contrasts[~gone]
        right = Stability.LESS if self.techniques.ratio > 1 else Stability.MORE
        found = sum(v.decided_by == "spread" and v.stability is right and ratios[i] != 1 for i, v in sure.items())
        by_task = seeds.reshape(-1, self.techniques.number)
        return alarm, found, len(sure), int(by_task.sum() + by_task.max(axis=1).sum())

    def evidence(
        self, look: int, contrasts: NDArray[np.int_], sure: dict[int, Verdict]
    ) -> tuple[dict[int, Verdict], Floats]:
        """The evidence of the contrasts that may be decided at a look, and the chances of all to be decided later."""
        rejected = rejections(sure.values())
        found: dict[int, Verdict] = {}
        chances = np.ones(len(contrasts))
        for places in _alike(self.ours[contrasts, :look], self.theirs[contrasts, :look]):
            group = contrasts[places]
            ours, theirs = self.ours[group, :look], self.theirs[group, :look]
            near = _Approximation.of(ours, theirs)
            total = int(np.isnan(ours).sum(axis=1).max() + np.isnan(theirs).sum(axis=1).max())
            needs = near.may_decide(self.design.levels(look, total, rejected), self.design, look, rejected)
            for place in np.flatnonzero(needs):
                found[int(group[place])] = exact_evidence(PairedSamples(ours[place], theirs[place]))
            if look < self.design.seeds:
                chances[places] = near.chances(look, self.design, rejected, total)
        return found, chances


def is_false(verdict: Verdict, ratio: float, shifted: bool = False) -> bool:
    """Whether a verdict on a technique with this ratio of spreads claims what is not so."""
    if ratio == 1:
        return claimed(verdict, shifted)
    wrong = Stability.MORE if ratio > 1 else Stability.LESS
    return verdict.decided_by == "failures" or verdict.stability is wrong


def _alike(ours: Floats, theirs: Floats) -> Iterator[NDArray[np.int_]]:
    """The places of samples with as many seeds that converged for both."""
    counts = (~np.isnan(ours) & ~np.isnan(theirs)).sum(axis=1)
    return (np.flatnonzero(counts == count) for count in np.unique(counts))


@dataclass(frozen=True, eq=False)
class _Approximation:
    """Approximate evidence: p-values (3, contrasts) of failures, spread, location; log MAD ratios (contrasts,).

    `lone` (2, contrasts) are the failures on seeds where only one of the two failed.
    """

    p_values: Floats
    estimates: Floats
    errors: Floats
    lone: NDArray[np.int_]

    @classmethod
    def of(cls, ours: Floats, theirs: Floats) -> _Approximation:
        """From scores (contrasts, seeds) with as many pairs each that converged; Student's in place of sign flips."""
        failures = np.array([_failure_p(*pair) for pair in zip(ours, theirs, strict=True)])
        failed = np.isnan(ours), np.isnan(theirs)
        lone = np.array([(failed[0] & ~failed[1]).sum(axis=1), (failed[1] & ~failed[0]).sum(axis=1)])
        both = ~failed[0] & ~failed[1]
        pairs = int(both[0].sum())
        if pairs < 3:
            unknown = np.full(len(ours), np.nan)
            return cls(np.array([failures, np.ones(len(ours)), np.ones(len(ours))]), unknown, unknown, lone)
        first, second = ours[both].reshape(-1, pairs), theirs[both].reshape(-1, pairs)
        spreads = np.array([_spread_p(*pair) for pair in zip(ours, theirs, strict=True)])
        (mads, influence), (others, their_influence) = map(_influences, (first, second))
        errors = (influence - their_influence).std(axis=1, ddof=1) / math.sqrt(pairs)
        tested = np.array([failures, spreads, _two_sided(first - second)])
        return cls(tested, np.log(mads / others), errors, lone)

    def may_decide(self, levels: Levels, design: Design, look: int, rejected: Rejections) -> NDArray[np.bool_]:
        """Whether any test of each contrast may be significant at a look."""
        least = design.levels(look, 0, rejected)
        bounds = LENIENT * np.array([levels.failure, least.spread, least.location])
        bounds[1:] = np.maximum(bounds[1:], APPROXIMATE)
        room = math.log(design.margins.ratio) - np.abs(np.nan_to_num(self.estimates, nan=np.inf))
        p_equivalence = stdtr(look - 1, -room / np.maximum(np.nan_to_num(self.errors), np.finfo(np.float64).tiny))
        equivalent = p_equivalence <= LENIENT * levels.equivalence
        return np.asarray((self.p_values <= bounds[:, None]).any(axis=0) | equivalent, dtype=np.bool_)

    def chances(self, look: int, design: Design, rejected: Rejections, failures: int) -> Floats:
        """The chances (contrasts,) to be decided by the last look."""
        levels = design.levels(design.seeds, round(failures * design.seeds / look), rejected)
        differ = chance_of_difference(self.p_values, levels, look / design.seeds)
        trend = self.estimates, self.errors, self.lone
        return np.maximum(differ, chance_of_equivalence(*trend, look, design, levels))


def _two_sided(values: Floats) -> Floats:
    errors = values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
    distances = np.divide(np.abs(values.mean(axis=1)), errors, out=np.zeros(len(errors)), where=errors > 0)
    return np.asarray(2 * stdtr(values.shape[1] - 1, -distances))


def _spread_p(ours: Floats, theirs: Floats) -> float:
    samples = spread_contributions(ours, theirs)
    return float(_two_sided(np.array(samples)).max()) if samples else 1.0


def _influences(values: Floats) -> tuple[Floats, Floats]:
    """The MAD of each sample, and the influence of each score on its logarithm."""
    offsets = values - values.mean(axis=1, keepdims=True)
    lean = (offsets < 0).mean(axis=1, keepdims=True) - (offsets > 0).mean(axis=1, keepdims=True)
    mads = np.maximum(np.abs(offsets).mean(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return mads[:, 0], (np.abs(offsets) + lean * offsets) / mads


def _failure_p(ours: Floats, theirs: Floats) -> float:
    return boschloo(int(np.isnan(ours).sum()), ours.size, int(np.isnan(theirs).sum()), theirs.size)
