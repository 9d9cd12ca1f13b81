"""Design of a sequential comparison, fixed in advance: looks, error rates and equivalence margins."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench_lib.core.errors import require
from bench_lib.stats.compare import boschloo
from bench_lib.stats.sequential import nominal_levels

FIRST_LOOK = 10
"""Number of seeds at the first look; fewer carry too little information on spread."""

STEP = 2
MOST = 10_000
"""Largest number of seeds of a comparison, which bounds the number of looks."""

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
    """Significance levels at one look; 0 for a test not done."""

    failure: float
    spread: float
    location: float
    equivalence: float


@dataclass(frozen=True)
class Design:
    """Looks at increasing numbers of seeds, and one alpha for all looks, tests and tasks.

    `power` is that of the spending function (`sequential.nominal_levels`).
    """

    looks: tuple[int, ...]
    tasks: int = 1
    alpha: float = 0.05
    power: float = 2.5
    shares: Shares = Shares()
    margins: Margins = Margins()

    def __post_init__(self) -> None:
        require(0 < self.alpha < 0.5, "alpha", self.alpha, "between 0 and 0.5, both excluded")
        require(self.tasks >= 1, "number of tasks", self.tasks, "1 or more")
        rising = len(self.looks) > 0 and self.looks[0] >= 1 and all(a < b for a, b in pairwise(self.looks))
        require(rising, "looks", self.looks, "rising numbers of seeds, at least one")

    @property
    def seeds(self) -> int:
        """The seeds of the last look."""
        return self.looks[-1]

    def levels(self, look: int, failures: int) -> Levels:
        """The levels at the look with this number of seeds, given the number of failures in both samples together."""
        require(look in self.looks, "look", look, ", ".join(map(str, self.looks)))
        place = self.looks.index(look)
        alpha = self.alpha / self.tasks
        shares = self.shares
        failure = self._level(place, alpha * shares.failure)
        equivalence = self._level(place, alpha) if look >= LEAST_FOR_EQUIVALENCE else 0.0
        if _least_p(failures, look) <= failure:
            parts = (shares.spread, shares.location)
        else:
            failure, rest = 0.0, shares.spread + shares.location
            parts = (shares.spread / rest, shares.location / rest)
        spread, location = (self._level(place, alpha * part) for part in parts)
        return Levels(failure, spread, location, equivalence)

    def _level(self, place: int, alpha: float) -> float:
        return _nominal(self.looks, alpha, self.power)[place]


def looks_up_to(seeds: int, first: int = FIRST_LOOK, step: int = STEP) -> tuple[int, ...]:
    """The looks of a comparison: at `first` seeds, then after every `step` seeds, and at the maximum."""
    require(3 <= seeds <= MOST, "greatest number of seeds", seeds, f"3 or more, up to {MOST:,}")
    return tuple(dict.fromkeys([*range(first, seeds, step), seeds]))


@functools.lru_cache(maxsize=256)
def _nominal(looks: Sequence[int], alpha: float, power: float) -> tuple[float, ...]:
    return nominal_levels(looks, alpha, power)


@functools.lru_cache(maxsize=4096)
def _least_p(failures: int, seeds: int) -> float:
    """The smallest p-value possible with these totals: all failures in one sample."""
    whole = min(failures, seeds)
    return boschloo(whole, seeds, failures - whole, seeds)
