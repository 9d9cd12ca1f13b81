"""Contrasts that bear on a published claim: in the claim's direction, and what each says of the claimed effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench_lib.report.analysis.published_claims import Effect
from bench_lib.report.glossary import LEAST
from bench_lib.report.values import Row
from bench_lib.stats.verdict import Location, Stability

SUPPORT: Mapping[str, frozenset[str]] = {
    Effect.MORE_STABLE: frozenset({Stability.MORE}),
    Effect.FEWER_FAILURES: frozenset({Stability.MORE}),
    Effect.HIGHER_MEAN: frozenset({Location.BETTER}),
    Effect.NO_LOWER_MEAN: frozenset({Location.BETTER, Location.SAME}),
    Effect.NO_EFFECT: frozenset({Stability.EQUIVALENT}),
}
"""Conclusions of a verdict that support each effect."""

CONTRADICT: Mapping[str, frozenset[str]] = {
    Effect.MORE_STABLE: frozenset({Stability.LESS, Stability.EQUIVALENT}),
    Effect.FEWER_FAILURES: frozenset({Stability.LESS, Stability.EQUIVALENT}),
    Effect.HIGHER_MEAN: frozenset({Location.WORSE, Location.SAME}),
    Effect.NO_LOWER_MEAN: frozenset({Location.WORSE}),
    Effect.NO_EFFECT: frozenset({Stability.MORE, Stability.LESS, Location.BETTER, Location.WORSE}),
}
"""Conclusions of a verdict that contradict each effect."""

REVERSED: Mapping[str, str] = {
    Stability.MORE: Stability.LESS,
    Stability.LESS: Stability.MORE,
    Location.BETTER: Location.WORSE,
    Location.WORSE: Location.BETTER,
}


class Outcome(StrEnum):
    """What the stored runs say of a claim, or one contrast of it."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested here"


@dataclass(frozen=True)
class Contrast:
    """A contrast that bears on a claim: `row` is the cell of the claim's technique by column, `base` its baseline's.

    `train_examples` is None for all of the task's; `version` is that of each technique compared with the report's
    baseline.
    """

    row: Row
    base: Row
    train_examples: int | None
    version: tuple[int, ...]
    outcome: Outcome

    @property
    def task(self) -> str:
        return str(self.row["task"])

    @property
    def shared(self) -> int:
        return int(self.row["shared"])

    @property
    def missing(self) -> int:
        """The seeds that an undecided contrast lacks to the least number for claims about spread."""
        return max(LEAST - self.shared, 0) if self.outcome is Outcome.UNDECIDED else 0


def bearing(effect: str, row: Row, base: Row) -> Outcome:
    """The outcome of a contrast for a claimed effect."""
    concluded = {row["verdict"], row["verdict_location"]}
    if effect == Effect.FEWER_FAILURES:
        # A verdict by spread leaves open which of the two fails less, and without failures there are none to save.
        is_open = row["decided_by"] == "spread" or (row["decided_by"] == "equivalence" and not base["failed"])
        concluded = set() if is_open else concluded
    if concluded & SUPPORT[effect]:
        return Outcome.SUPPORTED
    return Outcome.CONTRADICTED if concluded & CONTRADICT[effect] else Outcome.UNDECIDED


def reversed_row(row: Row, base: Row) -> Row:
    """The cell of the report's baseline, `base`, as one that is compared with the technique of `row`."""
    ratio, low, high, cost = (
        1 / row[name] if row[name] else math.inf
        for name in ("mad_ratio", "mad_ratio_high", "mad_ratio_low", "cost_ratio")
    )
    return {
        **base,
        "mad_ratio": ratio,
        "mad_ratio_low": low,
        "mad_ratio_high": high,
        "cost_ratio": cost,
        "against": row["label"],
        "against_converged": row["converged"],
        "superiority": 1 - row["superiority"],
        "mean_difference": -row["mean_difference"],
        "verdict": REVERSED.get(row["verdict"], row["verdict"]),
        "verdict_location": REVERSED.get(row["verdict_location"], row["verdict_location"]),
        "decided_by": row["decided_by"],
        "shared": row["shared"],
    }
