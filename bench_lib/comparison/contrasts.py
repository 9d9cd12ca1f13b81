"""Many techniques against one baseline: declared contrasts, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from bench_lib.comparison.result import TaskResult
from bench_lib.core.errors import require
from bench_lib.stats.design import Margins


class Contrast(NamedTuple):
    """A technique against the baseline on one task under one profile."""

    technique: str
    task: str
    profile: str


@dataclass(frozen=True)
class Contrasts:
    """Techniques held against one baseline, declared beforehand: every technique x task x profile is one contrast."""

    baseline: str
    techniques: tuple[str, ...]
    tasks: tuple[str, ...]
    profiles: tuple[str, ...]
    model: str = "minilm"
    data: str = "embedded"
    first_seed: int = 0
    max_seeds: int = 30
    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        for name in ("techniques", "tasks", "profiles"):
            values = getattr(self, name)
            require(len(values) == len(set(values)) > 0, name, values, "at least one, each once")
        require(self.first_seed >= 0, "first seed", self.first_seed, "0 or more")

    def __iter__(self) -> Iterator[Contrast]:
        return (Contrast(*names) for names in product(self.techniques, self.tasks, self.profiles))


class Stop(StrEnum):
    """Why a sweep until decided stopped."""

    DECIDED = "every contrast is decided"
    SEEDS = "the open contrasts have all their seeds"
    RUNS = "the runs are spent"
    HOURS = "the hours are spent"


@dataclass(frozen=True)
class DecidedSweep:
    """The result of each contrast, the number of new runs, and why the sweep stopped."""

    contrasts: Contrasts
    results: Mapping[Contrast, TaskResult]
    runs: int
    stopped: Stop

    @property
    def decided(self) -> tuple[Contrast, ...]:
        """The contrasts with a sure verdict, and those that were declined."""
        return tuple(c for c, result in self.results.items() if result.declined or result.verdict.sure)

    @property
    def open(self) -> dict[Contrast, float]:
        """The other contrasts, and how many seeds each still needs; nan where that is unknown."""
        return {c: self.results[c].missing for c in self.results if c not in self.decided}
