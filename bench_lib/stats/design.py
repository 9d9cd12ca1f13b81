"""Design of a sequential comparison, fixed in advance: looks, error rates and equivalence margins."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench_lib.core.errors import require
from bench_lib.stats.compare import boschloo, equivalent_failure_rates
from bench_lib.stats.sequential import nominal_levels

FIRST_LOOK = 10
"""Number of seeds at the first look; fewer carry too little information on spread."""

STEP = 2
MOST = 10_000
"""Largest number of seeds of a comparison, which bounds the number of looks."""

FINE = 0.001
"""Level below which p-values from 9,999 random permutations are too coarse."""

LEAST_FOR_EQUIVALENCE = 20
"""Smallest number of seeds for a conclusion of equivalence."""


@dataclass(frozen=True)
class Margins:
    """Equivalence margins: two techniques are equivalent if the differences lie inside all of them.

    `ratio` bounds the ratio of MADs from above, and from below by its inverse; `superiority` bounds P(A > B) likewise
    (0.75 after Bouthillier et al. 2021), `failures` the difference of failure rates.
    """

    ratio: float = 2.0
    superiority: float = 0.75
    failures: float = 0.15

    def __post_init__(self) -> None:
        require(1 < self.ratio < float("inf"), "margin of the MAD ratio", self.ratio, "above 1")
        require(0.5 < self.superiority < 1, "margin of P(A > B)", self.superiority, "between 0.5 and 1, both excluded")
        require(0 < self.failures < 1, "margin of failure rates", self.failures, "between 0 and 1, both excluded")


STANDARD = Margins()


@dataclass(frozen=True)
class Shares:
    """Shares of alpha for the three tests; they add up to 1.

    With too few failures for any split between the samples to be significant, the test of failure rates cannot raise a
    false alarm, and its share goes to the other two (Tarone 1990).
    """

    failure: float = 0.15
    spread: float = 0.8
    location: float = 0.05

    def __post_init__(self) -> None:
        parts = (self.failure, self.spread, self.location)
        allowed = "each above 0, 1 in all"
        require(min(parts) > 0 and abs(sum(parts) - 1) < 1e-9, "shares of alpha", parts, allowed)


@dataclass(frozen=True)
class Levels:
    """Significance levels at one look; 0 for a test not done.

    `equivalence` is that of a technique's stability, `same` that of its scores alone.
    """

    failure: float
    spread: float
    location: float
    equivalence: float
    same: float


@dataclass(frozen=True)
class Rejections:
    """Number of contrasts whose null hypothesis was rejected, for each test."""

    failure: int = 0
    spread: int = 0
    location: int = 0
    equivalence: int = 0


NONE = Rejections()


@dataclass(frozen=True)
class Design:
    """Looks at increasing numbers of seeds, and one alpha for all looks, tests and contrasts.

    `tasks` is the number of contrasts: of a technique the tasks, of a sweep techniques x tasks x profiles. `power` is
    that of the spending function (`sequential.nominal_levels`); `stages` are the last looks of a comparison that may be
    continued (`sequential.spent_in_stages`), and without any all of alpha is spent by the last look. A contrast whose
    chance to be decided by the last look falls below `least_chance` is given up (`reach.chance_of_decision`).
    """

    looks: tuple[int, ...]
    tasks: int = 1
    alpha: float = 0.05
    power: float = 2.5
    shares: Shares = Shares()
    margins: Margins = Margins()
    stages: tuple[int, ...] = ()
    least_chance: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.alpha < 0.5, "alpha", self.alpha, "between 0 and 0.5, both excluded")
        require(self.tasks >= 1, "number of tasks", self.tasks, "1 or more")
        rising = len(self.looks) > 0 and self.looks[0] >= 1 and all(a < b for a, b in pairwise(self.looks))
        require(rising, "looks", self.looks, "rising numbers of seeds, at least one")

    @property
    def seeds(self) -> int:
        """The seeds of the last look."""
        return self.looks[-1]

    def levels(
        self, look: int, failures: int, rejected: Rejections = NONE, baseline_seeds: int | None = None
    ) -> Levels:
        """The levels at the look with this number of seeds, given the number of failures in both samples together.

        `baseline_seeds` are those of the baseline, if it has others than the look.
        Each test is a family over the contrasts, with its share of alpha, and is stepped down as by Holm: the contrasts
        whose null is `rejected` leave their alpha to the others, from then on. At the first false rejection of a family
        only false nulls were rejected, so the true ones, m of them, are tested at alpha / m at most, and at no look at
        more, since the level of every look rises with alpha: their errors add up to alpha, whatever the correlation
        of contrasts that share a baseline, and whichever of them stop. The share of a failure test that cannot err
        stays in its family and goes to the other tests of the contrast. Equivalence is a family of its own, whose alpha
        is spent only at looks at which it can be concluded. Source: Maurer and Bretz 2013, Holm 1979.
        """
        require(look in self.looks, "look", look, ", ".join(map(str, self.looks)))
        place, shares = self.looks.index(look), self.shares
        of_failure = self._alpha(rejected.failure) * shares.failure
        failure = self._level(place, of_failure)
        of_equivalence = self._alpha(rejected.equivalence)
        equivalence = self._equivalence_level(look, of_equivalence)
        same = self._level(place, of_equivalence) if look >= LEAST_FOR_EQUIVALENCE else 0.0
        spread = self._alpha(rejected.spread) * shares.spread
        location = self._alpha(rejected.location) * shares.location
        if _least_p(failures, look, look if baseline_seeds is None else baseline_seeds) > failure:
            rest = shares.spread + shares.location
            failure = 0.0
            spread += of_failure * shares.spread / rest
            location += of_failure * shares.location / rest
        return Levels(failure, self._level(place, spread), self._level(place, location), equivalence, same)

    def continued(self, seeds: int) -> Design:
        """The design up to a number of seeds, in a further stage where those planned end before."""
        ends = self.stages or self.looks[-1:]
        return staged(ends if seeds <= ends[-1] else (*ends, seeds), self.tasks, self.alpha, self.margins)

    def is_fine(self, look: int) -> bool:
        """Whether the level of spread is too low for random permutations, so that all of them have to count."""
        return self.levels(look, 0).spread < FINE

    def _alpha(self, rejected: int) -> float:
        """Alpha for each contrast that is not rejected."""
        return self.alpha / max(1, self.tasks - rejected)

    def _equivalence_level(self, look: int, alpha: float) -> float:
        """The level of equivalence; 0 at looks with too few seeds to show that failure rates are equivalent.

        Those are known beforehand, so that they need no share of alpha (Tarone 1990).
        """
        looks = _equivalence_looks(self.looks, self.margins.failures, self.alpha / self.tasks)
        if look not in looks:
            return 0.0
        stages = tuple(end for end in self.stages if end >= looks[0])
        return _nominal(looks, alpha, self.power, stages)[looks.index(look)]

    def _level(self, place: int, alpha: float) -> float:
        return _nominal(self.looks, alpha, self.power, self.stages)[place]


def staged(stages: Sequence[int], tasks: int = 1, alpha: float = 0.05, margins: Margins = STANDARD) -> Design:
    """The design of a comparison that was begun with the first of the stages and continued with the others."""
    looks = sorted({look for end in stages for look in looks_up_to(end)})
    return Design(tuple(looks), tasks, alpha, margins=margins, stages=tuple(stages))


def looks_up_to(seeds: int, first: int = FIRST_LOOK, step: int = STEP) -> tuple[int, ...]:
    """The looks of a comparison: at `first` seeds, then after every `step` seeds, and at the maximum."""
    require(3 <= seeds <= MOST, "greatest number of seeds", seeds, f"3 or more, up to {MOST:,}")
    return tuple(dict.fromkeys([*range(first, seeds, step), seeds]))


@functools.lru_cache(maxsize=4096)
def _nominal(looks: Sequence[int], alpha: float, power: float, stages: Sequence[int]) -> tuple[float, ...]:
    return nominal_levels(looks, alpha, power, stages)


@functools.lru_cache(maxsize=4096)
def _equivalence_looks(looks: Sequence[int], margin: float, alpha: float) -> tuple[int, ...]:
    """The looks at which failure rates are equivalent at this level if no run failed."""
    able = [look for look in looks if equivalent_failure_rates((0, 0), (look, look), margin) <= alpha]
    return tuple(look for look in able if look >= LEAST_FOR_EQUIVALENCE)


@functools.lru_cache(maxsize=4096)
def _least_p(failures: int, seeds: int, baseline_seeds: int) -> float:
    """The smallest p-value possible with these totals: as many failures as possible in one sample."""
    splits = {min(failures, seeds), failures - min(failures, baseline_seeds)}
    return min(boschloo(ours, seeds, failures - ours, baseline_seeds) for ours in splits)
