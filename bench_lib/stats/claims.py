"""Verdicts on many contrasts, with one bound on the family-wise error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.stats.bootstrap import rounding
from bench_lib.stats.design import Design, Levels, Margins, Shares
from bench_lib.stats.paired import spread_contributions
from bench_lib.stats.tails import sign_tail
from bench_lib.stats.verdict import Location, PairedSamples, Stability, Verdict, conclude, evidence_from


def exact_evidence(samples: PairedSamples) -> Verdict:
    """Evidence without conclusions, with p-values from all permutations rather than from random ones.

    With hundreds of contrasts the level of each is below the smallest p-value of 9,999 random permutations.
    """
    first, second = samples.pairs()
    if first.size < 3:
        return evidence_from(samples, math.nan, math.nan)
    differences = first - second
    differences[np.abs(differences) <= rounding(first, second)] = 0
    p_spread = max(map(sign_tail, spread_contributions(samples.technique, samples.baseline)))
    return evidence_from(samples, p_spread, sign_tail(differences))


def claims(
    evidence: Sequence[Verdict],
    margins: Margins | None = None,
    alpha: float = 0.05,
    shares: Shares | None = None,
) -> list[Verdict]:
    """The verdicts on all contrasts by Holm's step-down procedure; margins and shares as in `Design`.

    A contrast is claimed if it differs significantly in failures, spread or location. The m contrasts are tested at
    alpha / m, as `judge` does with a single look; claimed ones are removed and the others tested at alpha over their
    number, until a step claims none. Thus alpha bounds the probability of any claim about a technique identical in
    distribution to its baseline. Equivalence is tested at the level of the last step. Source: Holm 1979.
    """
    for number, one in enumerate(evidence):
        require(
            one.seeds >= 1,
            f"seeds of contrast {number}",
            one.seeds,
            "1 or more; leave out contrasts without shared seeds",
        )
    plan = Design((1,), 1, alpha, shares=shares or Shares(), margins=margins or Margins())
    levels = _stepped_down(evidence, plan)
    return [conclude(one, level, plan.margins) for one, level in zip(evidence, levels, strict=True)]


def _stepped_down(evidence: Sequence[Verdict], plan: Design) -> list[Levels]:
    """The levels of each contrast's last test; for equivalence, the level of the last step."""
    levels: dict[int, Levels] = {}
    open_contrasts, divisor = list(range(len(evidence))), 0
    while len(open_contrasts) not in (0, divisor):
        divisor = len(open_contrasts)
        levels |= {i: _levels(plan, divisor, evidence[i]) for i in open_contrasts}
        open_contrasts = [i for i in open_contrasts if not _claimed(conclude(evidence[i], levels[i], plan.margins))]
    last = [_levels(plan, divisor, one).equivalence for one in evidence]
    return [dataclasses.replace(levels[i], equivalence=level) for i, level in enumerate(last)]


def _levels(plan: Design, divisor: int, evidence: Verdict) -> Levels:
    """The levels of a single look, with alpha divided by the number of contrasts."""
    design = dataclasses.replace(plan, looks=(evidence.seeds,), tasks=divisor)
    return design.levels(evidence.seeds, sum(evidence.failures), baseline_seeds=evidence.baseline_seeds)


def _claimed(verdict: Verdict) -> bool:
    differs = verdict.stability in (Stability.MORE, Stability.LESS)
    return differs or verdict.location in (Location.BETTER, Location.WORSE)
