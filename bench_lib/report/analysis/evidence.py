"""Evidence on a technique for a task: proven and unproven statements, and missed limits, in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from scipy.stats import norm

from bench_lib.core.errors import require
from bench_lib.report import formatting as md
from bench_lib.report.glossary import LEAST, LOOKS
from bench_lib.report.values import Row
from bench_lib.stats.verdict import Location, Stability

COST, FAILURE, REGRESSION = "cost", "failure", "regression"
"""Reasons to leave a technique out."""

HOW = {"failures": "it fails less often", "spread": "its scores spread less"}


class Conclusion(StrEnum):
    """Conclusions of a verdict on a cell against the baseline's; differences without a verdict allow none."""

    STEADIER = "more stable"
    LESS_STEADY = "less stable"
    AS_STEADY = "as stable"
    HIGHER = "scores higher"
    LOWER = "scores lower"
    OPEN = "undecided"


WORSE = frozenset({Conclusion.LESS_STEADY, Conclusion.LOWER})


def conclusions(row: Row) -> frozenset[Conclusion]:
    """The conclusions for a compared cell, for both the page and the command line."""
    stability = {
        Stability.MORE: Conclusion.STEADIER,
        Stability.LESS: Conclusion.LESS_STEADY,
        Stability.EQUIVALENT: Conclusion.AS_STEADY,
    }.get(row["verdict"], Conclusion.OPEN)
    location = {Location.BETTER: Conclusion.HIGHER, Location.WORSE: Conclusion.LOWER}.get(row["verdict_location"])
    return frozenset({stability} if location is None else {stability, location})


@dataclass(frozen=True)
class Limits:
    """Upper limits: training time relative to the baseline's, and the failure rate."""

    cost: float = math.inf
    failure: float = 1.0

    def __post_init__(self) -> None:
        require(self.cost > 0, "limit of the cost", self.cost, "above 0")
        require(0 <= self.failure <= 1, "limit of the failure rate", self.failure, "0 to 1")


@dataclass(frozen=True)
class Evidence:
    """A technique on one task: its cell and the contrast with the baseline's; scores are fractions.

    `row` is the cell by column.
    """

    row: Row = field(repr=False)
    task: str
    label: str
    metric: str
    failed: int
    judged: int
    lost: int
    failure_low: float
    failure_high: float
    mad: float
    mad_ratio: float
    mad_ratio_low: float
    mad_ratio_high: float
    minimum: float
    mean: float
    mean_low: float
    mean_high: float
    mean_difference: float
    cost_ratio: float
    shared: int
    verdict: str
    verdict_location: str
    decided_by: str

    @property
    def failure_rate(self) -> float:
        return self.failed / self.judged


def evidence(row: Row, base: Row) -> Evidence:
    """The evidence from a cell and its baseline's cell."""
    found = {**row, "row": row}
    return Evidence(**{part.name: found[part.name] for part in dataclasses.fields(Evidence)})


def proven(one: Evidence, limits: Limits, base: Row) -> Iterator[str]:
    """Proven statements, one sentence each."""
    name = base["label"]
    concluded = conclusions(one.row)
    if Conclusion.STEADIER in concluded:
        yield f"more stable than {name} on {one.task}: {HOW.get(one.decided_by, one.decided_by)}"
    if Conclusion.AS_STEADY in concluded:
        yield f"as stable as {name} on {one.task}, within the margins of a difference that matters"
    if Conclusion.HIGHER in concluded:
        yield f"scores above {name} on {one.task}"
    if one.failure_high <= limits.failure < 1:
        yield f"failure rate at most {md.rate(limits.failure)} on {one.task} (Wilson 95 %)"


def unproven(one: Evidence, limits: Limits, base: Row) -> Iterator[str]:
    """Unproven statements, one sentence each."""
    name = base["label"]
    if one.failure_high > limits.failure:
        yield f"failure rate at most {md.rate(limits.failure)} on {one.task} is not shown: {_doubt(one, limits)}"
    concluded = conclusions(one.row)
    if Conclusion.OPEN in concluded:
        yield f"spread against {name} on {one.task} is undecided: {_reach(one)}"
    if one.mad_ratio >= 1 and Conclusion.STEADIER not in concluded:
        yield f"its scores on {one.task} have not even spread less so far than those of {name}"
    if one.mean_high < base["mean_low"]:
        yield f"may score lower on {one.task}: the 95 % interval of its mean lies below that of {name}"
    if one.lost:
        yield f"runs on {one.task} that the machine lost count neither way: {one.lost}"


def misses(one: Evidence, limits: Limits, base: Row) -> Iterator[tuple[str, str]]:
    """The limits that the point estimates miss, and proven regressions, each with its reason."""
    if math.isnan(one.cost_ratio) and math.isfinite(limits.cost):
        yield (
            COST,
            f"its time on {one.task} is not known: no machine has runs of it and of {base['label']} that converged",
        )
    if one.cost_ratio > limits.cost:
        yield COST, f"takes {one.cost_ratio:.2f} times as long on {one.task}"
    if one.failure_rate > limits.failure:
        yield FAILURE, f"fails with {one.failed} of {one.judged} seeds on {one.task}"
    concluded = conclusions(one.row)
    if Conclusion.LESS_STEADY in concluded:
        yield REGRESSION, f"is less stable than {base['label']} on {one.task}"
    if Conclusion.LOWER in concluded:
        yield REGRESSION, f"scores below {base['label']} on {one.task}"


def excess(one: Evidence, limits: Limits) -> float:
    """The excess over the limits: of the cost relative to its limit, and of the failure rate."""
    dear = one.cost_ratio / limits.cost - 1 if math.isfinite(limits.cost) else 0.0
    return max(math.inf if math.isnan(dear) else dear, 0.0) + max(one.failure_rate - limits.failure, 0.0)


def needed(failed: int, limit: float) -> float:
    """The fewest runs with `failed` failures whose 95 % Wilson interval ends at or below the limit; inf for none.

    Solves the interval of Wilson 1927 for the number of runs.
    """
    if limit <= 0:
        return math.inf
    z = float(norm.ppf(0.975))
    noise = z * math.sqrt(limit * (1 - limit))
    root = (noise + math.sqrt(noise**2 + 4 * limit * failed)) / (2 * limit)
    return float(math.ceil(root**2))


def _doubt(one: Evidence, limits: Limits) -> str:
    so_far = f"{one.failed} of {one.judged} seeds leave up to {md.rate(one.failure_high)} possible (Wilson 95 %)"
    enough = needed(one.failed, limits.failure)
    if math.isinf(enough):
        return f"{so_far}; no number of seeds shows a rate of 0"
    how = "without a failure" if one.failed == 0 else f"with no more than these {one.failed} failures"
    return f"{so_far}; {enough:.0f} seeds {how} would show it"


def _reach(one: Evidence) -> str:
    if one.row["basis"] == LOOKS:
        more = f"; about {one.row['missing']:.0f} more would" if math.isfinite(one.row["missing"]) else ""
        return f"looks at {one.shared} seeds do not settle it{more}"
    return f"{one.shared} of at least {LEAST} seeds" if one.shared < LEAST else f"{one.shared} seeds do not settle it"
