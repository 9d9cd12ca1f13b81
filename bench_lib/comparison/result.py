"""What a check came to: a verdict for each task, and one for all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from bench_lib.comparison.paired_runs import Cost
from bench_lib.stats.design import Design
from bench_lib.stats.failure import wilson
from bench_lib.stats.verdict import Location, Stability, Verdict


class Outcome(StrEnum):
    """What a check says as a whole."""

    HOLDS = "holds"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class TaskAnswer:
    """The verdict on one task with what it rests on.

    `detectable` is the smallest MAD ratio that as many seeds find with a power of 0.8; `missing` are the seeds to add
    for a verdict: both by simulation from the baseline's own scores, nan where these do not tell. `declined` is why the
    task was not compared.
    """

    task: str
    verdict: Verdict
    cost: Cost
    lost: int
    declined: str
    detectable: float
    missing: float
    max_cost: float = math.inf

    @property
    def too_dear(self) -> bool:
        return self.cost.time > self.max_cost

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes a regression of it, such as `less stable`."""
        verdict = self.verdict
        unstable, worse = verdict.stability is Stability.LESS, verdict.location is Location.WORSE
        found = {str(Stability.LESS): unstable, str(Location.WORSE): worse, "too dear": self.too_dear}
        return tuple(fault for fault, is_so in found.items() if is_so and not self.declined)

    @property
    def outcome(self) -> Outcome:
        if self.declined:
            return Outcome.HOLDS
        if self.faults:
            return Outcome.REGRESSION
        return Outcome.HOLDS if self.verdict.sure else Outcome.INCONCLUSIVE

    def failure_rates(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """(rate, low, high) of the technique and of the baseline, with Wilson's intervals; nan without any seed."""
        seeds = self.verdict.seeds
        rates = [(f / seeds if seeds else math.nan, *wilson(f, seeds)) for f in self.verdict.failures]
        return rates[0], rates[1]

    def ratio(self) -> tuple[float, float, float]:
        """The MAD ratio with its 95 % interval."""
        estimate = self.verdict.log_ratio.estimate
        low, high = self.verdict.log_ratio.interval()
        return _exp(estimate), _exp(low), _exp(high)


@dataclass(frozen=True)
class Answer:
    """What a check came to over all its tasks."""

    technique: str
    baseline: str  # of an older version, with the store that it is from
    design: Design
    tasks: tuple[TaskAnswer, ...]

    @property
    def outcome(self) -> Outcome:
        """A regression on any task is one; all tasks must be sure for it to hold."""
        compared = [task.outcome for task in self.tasks if not task.declined]
        if Outcome.REGRESSION in compared:
            return Outcome.REGRESSION
        return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in compared or not compared else Outcome.HOLDS

    @property
    def missing(self) -> float:
        """The most seeds that a task still needs; nan where no task can tell."""
        needs = [task.missing for task in self.tasks if task.outcome is Outcome.INCONCLUSIVE]
        known = [need for need in needs if not math.isnan(need)]
        return max(known, default=math.nan)


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)
