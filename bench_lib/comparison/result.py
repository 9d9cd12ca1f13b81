"""The result of a comparison: a verdict for each task and an overall outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from bench_lib.comparison.paired_runs import Cost
from bench_lib.stats.design import Design
from bench_lib.stats.failure import wilson
from bench_lib.stats.verdict import Location, Stability, Verdict


class Outcome(StrEnum):
    """Overall outcome of a comparison."""

    HOLDS = "holds"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class TaskResult:
    """The verdict on one task, with its evidence.

    `detectable` is the smallest MAD ratio detected with power 0.8 at this number of seeds; `missing` is the number of
    seeds to add for a verdict. Both are simulated from the baseline's scores, nan if these are too few or all equal.
    `lost` counts runs lost to infrastructure; `declined` is the reason if the task was not compared. `unlike_machines`
    counts the seeds whose two runs were made on different kinds of machine.
    """

    task: str
    verdict: Verdict
    cost: Cost
    lost: int
    declined: str
    detectable: float
    missing: float
    max_cost: float = math.inf
    unlike_machines: int = 0

    @property
    def exceeds_max_cost(self) -> bool:
        return self.cost.time > self.max_cost

    @property
    def faults(self) -> tuple[str, ...]:
        """Reasons to call the task a regression, such as `less stable`."""
        verdict = self.verdict
        less_stable, worse = verdict.stability is Stability.LESS, verdict.location is Location.WORSE
        faults = {str(Stability.LESS): less_stable, str(Location.WORSE): worse, "too dear": self.exceeds_max_cost}
        return tuple(fault for fault, applies in faults.items() if applies and not self.declined)

    @property
    def outcome(self) -> Outcome:
        if self.declined:
            return Outcome.HOLDS
        if self.faults:
            return Outcome.REGRESSION
        return Outcome.HOLDS if self.verdict.sure else Outcome.INCONCLUSIVE

    def failure_rates(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """(rate, low, high) of technique and baseline, with Wilson intervals; nan without seeds."""
        seeds = self.verdict.seeds
        rates = [(f / seeds if seeds else math.nan, *wilson(f, seeds)) for f in self.verdict.failures]
        return rates[0], rates[1]

    def ratio(self) -> tuple[float, float, float]:
        """(estimate, low, high) of the MAD ratio, with a 95 % interval."""
        estimate = self.verdict.log_ratio.estimate
        low, high = self.verdict.log_ratio.interval()
        return _exp(estimate), _exp(low), _exp(high)


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison over all its tasks."""

    technique: str
    baseline: str  # with version and store if it is an earlier version
    design: Design
    tasks: tuple[TaskResult, ...]

    @property
    def outcome(self) -> Outcome:
        """`REGRESSION` if any task is one; `HOLDS` only if every compared task has a sure verdict."""
        compared = [task.outcome for task in self.tasks if not task.declined]
        if Outcome.REGRESSION in compared:
            return Outcome.REGRESSION
        return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in compared or not compared else Outcome.HOLDS

    @property
    def missing(self) -> float:
        """Seeds still needed, the maximum over inconclusive tasks; nan if unknown for all of them."""
        needs = [task.missing for task in self.tasks if task.outcome is Outcome.INCONCLUSIVE]
        known = [need for need in needs if not math.isnan(need)]
        return max(known, default=math.nan)


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)
