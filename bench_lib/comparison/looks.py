"""Looks at contrasts: seeds are added where the verdict is open, until all are decided or seeds or limits are spent."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from bench_lib.comparison.paired_runs import Pair, TaskRuns
from bench_lib.comparison.result import TaskResult
from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Executor
from bench_lib.runner.limits import Limits
from bench_lib.runner.sweep import Progress, sweep
from bench_lib.stats.design import Design, Margins, staged
from bench_lib.stats.looks import FamilyVerdicts, permutation_seed, power_generator
from bench_lib.stats.power import detectable_ratio
from bench_lib.store import Looks, Store, read_looks, write_looks

K = TypeVar("K")


class Stop(StrEnum):
    """Why the looks ended."""

    DECIDED = "every contrast is decided"
    SEEDS = "what is open has all its seeds, or cannot be decided by them"
    LIMIT = "the limit of runs or hours is reached"


@dataclass(frozen=True)
class Family:
    """What one alpha is for: contrasts by value, the seeds in the order of use, and the margins."""

    alpha: float
    margins: Margins
    seeds: tuple[int, ...]
    least_chance: float = 0.0

    def comparison(self, pairs: Collection[Pair]) -> dict[str, object]:
        """The comparison by value, whatever its number of seeds."""
        ids = sorted(pair.ids(self.seeds[0]) for pair in pairs)
        return {"contrasts": ids, "alpha": self.alpha, "margins": dataclasses.astuple(self.margins)}

    def design(self, pairs: Collection[Pair], store: Store) -> Design:
        """The design of the looks, as a continuation of those that the store has a record of."""
        seeds = len(self.seeds)
        stages = read_looks(store.root, self.comparison(pairs)).continued(seeds)
        design = staged(stages, len(pairs), self.alpha, self.margins)
        looks = tuple(look for look in design.looks if look <= seeds)
        if not looks:
            raise BenchError(
                f"{store.root} has a record of this comparison with up to {stages[-1]} seeds, whose first look is at "
                f"{design.looks[0]}; allowed: {design.looks[0]} seeds or more"
            )
        return dataclasses.replace(design, looks=looks, least_chance=self.least_chance)


@dataclass(eq=False)
class Looking(Generic[K]):
    """Looks at a family of contrasts in progress.

    All open contrasts take a look before any takes the next one: those with the fewest seeds come first, and among
    equals those with the widest interval of the MAD ratio. All that is known is in the store, so that what was stopped
    takes the same looks again.
    """

    family: Family
    pairs: Mapping[K, Pair]
    store: Store
    executor: Executor
    report: Callable[[Progress], None]
    limits: Limits = field(default_factory=Limits)
    new: int = field(default=0, init=False)
    runs: dict[K, TaskRuns] = field(init=False)

    def __post_init__(self) -> None:
        self.runs = dict.fromkeys(self.pairs, TaskRuns())

    @functools.cached_property
    def design(self) -> Design:
        return self.family.design(self.pairs.values(), self.store)

    @functools.cached_property
    def known(self) -> FamilyVerdicts[K]:
        """The verdicts so far; their permutations are seeded by task and names, hence equal on every machine."""
        return FamilyVerdicts(self.design, {key: permutation_seed(*pair.names()) for key, pair in self.pairs.items()})

    def take(self) -> Stop:
        """Take looks until every contrast is decided, or seeds or limits are spent."""
        began, comparison = time.monotonic(), self.family.comparison(self.pairs.values())
        for before, look in pairwise((0, *self.design.looks)):
            contrasts = self.undecided()
            complete = self._run(contrasts, self.family.seeds[before:look], time.monotonic() - began)
            if complete:
                if look > read_looks(self.store.root, comparison).taken:
                    write_looks(self.store.root, comparison, Looks(self.design.stages, look))
                self._judge(complete, look)
            if len(complete) < len(contrasts):
                return Stop.LIMIT
            if not self.undecided():
                break
        return Stop.SEEDS if self.undecided() or self.known.given_up else Stop.DECIDED

    def undecided(self) -> list[K]:
        """The contrasts to add seeds to: neither decided nor declined nor given up, the widest interval first."""
        return [key for key in self.known.undecided() if not self.runs[key].decline_reason()]

    def result(self, key: K, max_cost: float = math.inf) -> TaskResult:
        """The verdict on a contrast, with its evidence."""
        runs, verdict, task = self.runs[key], self.known.verdicts[key], self.pairs[key].technique.task
        baseline = runs.samples().baseline
        scores = baseline[~np.isnan(baseline)]
        level, seeds = self.known.levels(key).spread, max(verdict.seeds, 3)
        detectable = detectable_ratio(scores, seeds, level, power_generator(task))
        missing = self.known.seeds_to_add(key, scores, power_generator(task))
        return TaskResult(
            task,
            verdict,
            runs.cost(),
            runs.lost_to_infrastructure(),
            runs.decline_reason(),
            detectable,
            missing,
            max_cost,
            runs.on_unlike_machines(),
        )

    def _run(self, contrasts: Sequence[K], seeds: Sequence[int], seconds: float) -> list[K]:
        """Run what is not stored of these seeds, up to the limits; the contrasts with all their runs."""
        specs = {spec.run_id(): spec for key in contrasts for spec in self.pairs[key].specs(seeds)}
        if (rest := self.limits.rest(self.new, seconds)) is not None:
            progress = sweep([*specs.values()], self.store, self.executor, self.report, frozenset(), rest)
            self.new += progress.finished
        records = {record.run_id: record for record in self.store.records(specs)}
        found = {key: self.pairs[key].runs(seeds, records) for key in contrasts}
        new = {key: runs for key, runs in found.items() if runs is not None}
        self.runs |= {key: self.runs[key].joined(runs) for key, runs in new.items()}
        return list(new)

    def _judge(self, contrasts: Sequence[K], look: int) -> None:
        self.known.judge({key: self.runs[key].samples() for key in contrasts}, look)
        self.known.give_up_hopeless(set(contrasts).intersection(self.undecided()), look)
