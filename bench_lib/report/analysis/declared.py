"""What a plan declares, as far as a report needs to know: families of contrasts, and how far each part is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench_lib.stats.design import Margins


class DeclaredContrast(NamedTuple):
    """A technique against the baseline: the ids of their runs with the first seed, and the names of both and the task.

    The names are those that seed the permutations of `stats.looks`.
    """

    ids: tuple[str, str]
    task: str
    technique: str
    baseline: str


@dataclass(frozen=True)
class DeclaredFamily:
    """Contrasts that share one alpha, and the seeds of their looks in order.

    `comparison` is the family by value, as looks are recorded of it.
    """

    name: str
    comparison: Mapping[str, object]
    contrasts: Sequence[DeclaredContrast]
    alpha: float
    margins: Margins
    seeds: Sequence[int]
    least_chance: float


@dataclass(frozen=True)
class PartProgress:
    """A part of a plan: the number of its runs, and of the stored ones by status."""

    name: str
    runs: int
    statuses: Mapping[str, int]

    @property
    def done(self) -> int:
        return sum(self.statuses.values())

    @property
    def left(self) -> int:
        return self.runs - self.done


@dataclass(frozen=True)
class DeclaredPlan:
    """A plan: its title, its parts and all of it, the names of parts that wait for a tuning, and its families."""

    title: str
    parts: Sequence[PartProgress]
    whole: PartProgress
    waiting: Sequence[str]
    families: Sequence[DeclaredFamily]
