from __future__ import annotations

import math

import numpy as np

from bench_lib.report.analysis.missing import missing_seeds
from bench_lib.report.glossary import LEAST
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.verdict import PairedSamples

DRAWS = np.random.default_rng(1)
BASE, OTHER = 0.8 + 0.01 * DRAWS.normal(size=24), 0.8 + 0.01 * DRAWS.normal(size=24)


def test_few_seeds_miss_those_to_the_least_number() -> None:
    evidence = exact_evidence(PairedSamples(OTHER[:7], BASE[:7]))
    assert missing_seeds(evidence, BASE[:7], 1, 0.05) == LEAST - 7


def test_a_sure_verdict_misses_none() -> None:
    (verdict,) = claims([exact_evidence(PairedSamples(0.8 + 0.02 * (OTHER - 0.8), BASE))])
    assert verdict.sure
    assert missing_seeds(verdict, BASE, 1, 0.05) == 0


def test_an_open_verdict_misses_more_where_more_contrasts_share_alpha() -> None:
    evidence = exact_evidence(PairedSamples(OTHER, BASE))
    alone, among_many = (missing_seeds(evidence, BASE, left, 0.05) for left in (1, 200))
    assert 1 <= alone <= among_many


def test_without_any_spread_it_is_not_known() -> None:
    flat = np.full(24, 0.8)
    assert math.isnan(missing_seeds(exact_evidence(PairedSamples(OTHER, flat)), flat, 1, 0.05))
