from __future__ import annotations

import math

import numpy as np
import pytest

from bench_lib.stats.claims import exact_evidence
from bench_lib.stats.compare import equivalent_failure_rates
from bench_lib.stats.design import Margins
from bench_lib.stats.needed import seeds_for_equivalence, seeds_to_decide
from bench_lib.stats.power import SEEDS, seeds_needed
from bench_lib.stats.verdict import PairedSamples, Verdict

DRAWS = np.random.default_rng(3)
BASE, OTHER = 0.8 + 0.01 * DRAWS.normal(size=(2, 20))
LEVELS = 0.01, 0.0025


def verdict(calm: float = 1.0, failed: int = 0) -> Verdict:
    ours = 0.8 + calm * (OTHER - 0.8)
    ours[:failed] = np.nan
    return exact_evidence(PairedSamples(ours, BASE))


def needed(one: Verdict) -> float:
    return seeds_to_decide(one, BASE, LEVELS, Margins(), np.random.default_rng(0))


def test_the_same_scores_need_as_many_seeds_as_their_failure_rates() -> None:
    same = exact_evidence(PairedSamples(BASE, BASE))
    assert needed(same) == math.ceil(math.log(LEVELS[1]) / math.log(0.85)) == 37


def test_lone_failures_cost_seeds_until_they_come_too_often() -> None:
    found = [seeds_for_equivalence(verdict(failed=failed), LEVELS[1], Margins()) for failed in (0, 1, 3)]
    assert found[0] < found[1] < found[2] == math.inf


@pytest.mark.parametrize("failed", [0, 1, 2])
def test_it_is_the_first_number_that_is_enough(failed: int) -> None:
    one, margin = verdict(failed=failed), Margins().failures
    rates = np.array(one.lone_failures) / one.sizes
    enough = [
        n for n in range(1, SEEDS[-1] + 1) if equivalent_failure_rates(np.ceil(rates * n), (n, n), margin) <= LEVELS[1]
    ]
    found = seeds_for_equivalence(one, LEVELS[1], Margins())
    assert found in (*enough, math.inf)
    assert found >= min(enough, default=math.inf)
    assert math.isinf(found) == (not enough)


def test_a_ratio_far_from_one_is_simulated() -> None:
    calm = verdict(0.6)
    ratio = math.exp(abs(calm.log_ratio.estimate))
    assert needed(calm) == seeds_needed(BASE, ratio, LEVELS[0], np.random.default_rng(0))


def test_a_ratio_beyond_the_margin_is_never_equivalent() -> None:
    assert seeds_for_equivalence(verdict(0.2), LEVELS[1], Margins()) == math.inf


def test_an_unknown_ratio_leaves_the_number_unknown() -> None:
    assert math.isnan(needed(exact_evidence(PairedSamples(OTHER, np.full(20, 0.8)))))


@pytest.mark.parametrize("level", [0.05, 0.0001])
def test_no_number_beyond_those_that_can_be_said(level: float) -> None:
    noisy = exact_evidence(PairedSamples(OTHER[:4], BASE[:4]))
    found = seeds_for_equivalence(noisy, level, Margins(ratio=1.05))
    assert found == math.inf or 20 <= found <= SEEDS[-1]
