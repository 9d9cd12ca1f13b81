"""Verdicts on many contrasts at once: what is claimed of any of them, at one error for all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.stats.bootstrap import rounding
from bench_lib.stats.design import Design, Levels, Margins, Shares
from bench_lib.stats.paired import rank_products
from bench_lib.stats.tails import sign_tail
from bench_lib.stats.verdict import Arms, Location, Stability, Verdict, concluded, evidence_of


def counted(arms: Arms) -> Verdict:
    """The evidence without any conclusion, its p-values by counting permutations and not by drawing them.

    Where hundreds of contrasts share alpha, each is tested at a level that 9,999 random permutations do not reach.
    """
    first, second = arms.pairs()
    if first.size < 3:
        return evidence_of(arms, math.nan, math.nan)
    differences = first - second
    differences[np.abs(differences) <= rounding(first, second)] = 0
    return evidence_of(arms, sign_tail(rank_products(first, second)), sign_tail(differences))


def claims(
    evidence: Sequence[Verdict],
    margins: Margins | None = None,
    alpha: float = 0.05,
    shares: Shares | None = None,
) -> list[Verdict]:
    """The verdicts on contrasts, given the evidence on each, by Holm's step-down; margins and shares as in `Design`.

    A contrast is claimed if it is found to differ in failures, spread or location. The m contrasts are judged at
    alpha / m, as `judge` does at an only look; those that are claimed leave, and the others are judged at alpha over
    their number, until none is claimed any more. So alpha bounds the chance that any technique that does not differ
    from its baseline at all is claimed to. Equivalence is judged at the level of the last step. Source: Holm 1979.
    """
    for number, one in enumerate(evidence):
        require(one.seeds >= 1, f"seeds of contrast {number}", one.seeds, "1 or more; leave out what shares none")
    plan = Design((1,), 1, alpha, shares=shares or Shares(), margins=margins or Margins())
    levels = _stepped_down(evidence, plan)
    return [concluded(one, level, plan.margins) for one, level in zip(evidence, levels, strict=True)]


def _stepped_down(evidence: Sequence[Verdict], plan: Design) -> list[Levels]:
    """The levels at which each contrast was judged last, but for equivalence those of the last step."""
    levels: dict[int, Levels] = {}
    waiting, divisor = list(range(len(evidence))), 0
    while len(waiting) not in (0, divisor):
        divisor = len(waiting)
        levels |= {i: _levels(plan, divisor, evidence[i]) for i in waiting}
        waiting = [i for i in waiting if not _claimed(concluded(evidence[i], levels[i], plan.margins))]
    ends = [_levels(plan, divisor, one).equivalence for one in evidence]
    return [dataclasses.replace(levels[i], equivalence=end) for i, end in enumerate(ends)]


def _levels(plan: Design, divisor: int, evidence: Verdict) -> Levels:
    """Those of an only look, at alpha over so many contrasts."""
    design = dataclasses.replace(plan, looks=(evidence.seeds,), tasks=divisor)
    return design.levels(evidence.seeds, sum(evidence.failures))


def _claimed(verdict: Verdict) -> bool:
    differs = verdict.stability in (Stability.MORE, Stability.LESS)
    return differs or verdict.location in (Location.BETTER, Location.WORSE)
