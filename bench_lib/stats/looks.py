"""The verdicts on a family of contrasts, look by look, and what would decide those that stay open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.spec import digest
from bench_lib.stats.claims import exact_evidence
from bench_lib.stats.design import STEP, Design, Levels
from bench_lib.stats.family import conclude_together, rejections
from bench_lib.stats.needed import seeds_to_decide
from bench_lib.stats.reach import chance_of_decision
from bench_lib.stats.verdict import PairedSamples, Verdict, look_generator, permutation_evidence

K = TypeVar("K")
Floats = NDArray[np.float64]


@dataclass(eq=False)
class FamilyVerdicts(Generic[K]):
    """What is concluded on each contrast so far, and the seeds of its last look.

    `seeds` are those of the random permutations of each contrast. Contrasts that are `given_up` get no more looks.
    """

    design: Design
    seeds: Mapping[K, int]
    verdicts: dict[K, Verdict] = field(init=False)
    looked: dict[K, int] = field(init=False)
    given_up: set[K] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        nothing = exact_evidence(PairedSamples(np.empty(0), np.empty(0)))
        self.verdicts = dict.fromkeys(self.seeds, nothing)
        self.looked = dict.fromkeys(self.seeds, 0)

    def undecided(self) -> list[K]:
        """The contrasts that are neither decided nor given up: fewest seeds first, then the widest interval."""
        found = [key for key, verdict in self.verdicts.items() if not verdict.sure and key not in self.given_up]
        return sorted(found, key=lambda key: (self.looked[key], -_width(self.verdicts[key])))

    def judge(self, samples: Mapping[K, PairedSamples], look: int) -> None:
        """Conclude a look at some contrasts, given their samples up to it."""
        fine = self.design.is_fine(look)
        evidence = {
            key: exact_evidence(own) if fine else permutation_evidence(own, look_generator(self.seeds[key], look))
            for key, own in samples.items()
        }
        decided = [verdict for verdict in self.verdicts.values() if verdict.sure]
        self.verdicts |= conclude_together(evidence, look, self.design, decided)
        self.looked |= dict.fromkeys(samples, look)

    def give_up_hopeless(self, keys: Iterable[K], look: int) -> None:
        """Give up those of some contrasts that the last look will hardly decide."""
        rejected = rejections(self.verdicts.values())
        for key in keys if look < self.design.seeds else ():
            if chance_of_decision(self.verdicts[key], look, self.design, rejected) < self.design.least_chance:
                self.given_up.add(key)

    def levels(self, key: K, design: Design | None = None) -> Levels:
        """The levels at the last look of the design, or of its continuation."""
        own, verdicts = design or self.design, self.verdicts
        return own.levels(own.seeds, sum(verdicts[key].failures), rejections(verdicts.values()))

    def seeds_to_add(self, key: K, scores: Floats, generator: np.random.Generator) -> float:
        """Seeds to add for a decision (`needed.seeds_to_decide`): nan where unknown, 0 for a sure verdict.

        Beyond the last look alpha is that of a continuation to twice as many seeds.
        """
        verdict, last = self.verdicts[key], self.design.seeds
        if verdict.sure:
            return 0.0
        if not math.isfinite(verdict.log_ratio.estimate):
            return math.nan
        needed = math.inf if key in self.given_up else self._needed(key, self.design, scores, generator)
        if needed > last:
            needed = max(last + STEP, self._needed(key, self.design.continued(2 * last), scores, generator))
        return max(needed - self.looked[key], STEP)

    def _needed(self, key: K, design: Design, scores: Floats, generator: np.random.Generator) -> float:
        levels = self.levels(key, design)
        # Too few seeds for equivalence have no level of it; the first that are enough have nearly all.
        equivalence = levels.equivalence or design.alpha / design.tasks
        return seeds_to_decide(self.verdicts[key], scores, (levels.spread, equivalence), self.design.margins, generator)


def permutation_seed(task: str, technique: str, baseline: str) -> int:
    """The seed of a contrast's random permutations."""
    return int(digest(["check", task, technique, baseline]), 16)


def power_generator(task: str) -> np.random.Generator:
    """The generator for simulations of power on a task."""
    return np.random.default_rng(int(digest(["power", task]), 16))


def _width(verdict: Verdict) -> float:
    """The width of the interval of the log MAD ratio; infinite where it is not known."""
    low, high = verdict.log_ratio.interval()
    return math.inf if math.isnan(high - low) else high - low
