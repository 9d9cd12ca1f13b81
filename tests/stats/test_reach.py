from __future__ import annotations

import numpy as np
import pytest

from bench_lib.stats.claims import exact_evidence
from bench_lib.stats.design import Rejections, staged
from bench_lib.stats.reach import chance_of_decision
from bench_lib.stats.verdict import PairedSamples, look_generator, permutation_evidence

MANY = staged((30,), tasks=80)
ALONE = staged((30,))


def chance(wider: float, seeds: int = 10, design=MANY, seed: int = 0, failing: int = 0) -> float:
    ours, theirs = np.random.default_rng(seed).normal(size=(2, seeds)) * [[wider], [1]]
    ours[:failing] = np.nan
    evidence = permutation_evidence(PairedSamples(ours, theirs), look_generator(0, seeds))
    return chance_of_decision(evidence, seeds, design, Rejections())


def mean(wider: float, **changes: object) -> float:
    return float(np.mean([chance(wider, seed=seed, **changes) for seed in range(30)]))


def test_a_large_difference_has_a_chance_and_none_has_little():
    assert mean(4) > 0.8
    assert mean(1, seeds=20) < 0.1
    assert mean(1) < mean(2) < mean(4)


def test_alone_equivalence_is_within_reach():
    assert mean(1, seeds=20, design=ALONE) > 0.6
    assert mean(1, seeds=20) < 0.1


def test_failures_count():
    assert chance(1, failing=7) > 0.5 > chance(1, failing=1, seed=3)


def test_it_says_how_often_a_decision_follows():
    """Of contrasts with a chance below a tenth, few are decided in the end."""
    decided = 0
    for seed in range(150):
        drawn = np.random.default_rng(seed).normal(size=(2, 30)) * [[2], [1]]
        early = permutation_evidence(PairedSamples(*drawn[:, :10]), look_generator(seed, 10))
        if chance_of_decision(early, 10, MANY, Rejections()) < 0.1:
            late = exact_evidence(PairedSamples(*drawn))
            decided += late.p_spread <= MANY.levels(30, 0).spread
    assert decided <= 6


@pytest.mark.parametrize("scores", [np.full((2, 20), np.nan), np.full((2, 20), 0.5), np.zeros((2, 0))])
def test_degenerate_samples_have_a_chance(scores):
    evidence = exact_evidence(PairedSamples(*scores))
    found = chance_of_decision(evidence, 20, staged((60,), tasks=80), Rejections())
    assert found == (1.0 if scores.size and not np.isnan(scores).any() else pytest.approx(0, abs=0.05))


def test_at_the_last_look_nothing_is_left():
    assert chance(4, seeds=30) == 0
