"""Verdicts on a family of contrasts that share one alpha: what one of them is decided by, the others need not pay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from bench_lib.stats.design import Design, Rejections
from bench_lib.stats.verdict import Location, Stability, Verdict, conclude

K = TypeVar("K")


def rejections(verdicts: Iterable[Verdict]) -> Rejections:
    """Numbers of null hypotheses that sure verdicts reject, by test; others are tested again, and count for nothing."""
    sure = [verdict for verdict in verdicts if verdict.sure]
    return Rejections(
        failure=sum(verdict.decided_by == "failures" for verdict in sure),
        spread=sum(verdict.decided_by == "spread" for verdict in sure),
        location=sum(verdict.location in (Location.BETTER, Location.WORSE) for verdict in sure),
        equivalence=sum(verdict.stability is Stability.EQUIVALENT for verdict in sure),
    )


def conclude_together(
    evidence: Mapping[K, Verdict], look: int, design: Design, decided: Iterable[Verdict]
) -> dict[K, Verdict]:
    """The verdicts on the open contrasts of a family at a look, given those decided at earlier looks.

    A contrast that is decided raises the levels of the others at once, which are concluded again until no further one
    is decided.
    """
    before, found = [*decided], dict(evidence)
    while True:
        open_contrasts = [key for key, verdict in found.items() if not verdict.sure]
        rejected = rejections([*before, *found.values()])
        for key in open_contrasts:
            levels = design.levels(look, sum(evidence[key].failures), rejected)
            found[key] = conclude(evidence[key], levels, design.margins)
        if not any(found[key].sure for key in open_contrasts):
            return found
