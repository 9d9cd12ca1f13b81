from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from bench_lib.core.errors import BadValue
from bench_lib.stats.equivalence import Effect, log_mad_ratio, superiority_effect
from bench_lib.stats.spread import mad

SCORES = st.lists(st.integers(0, 20).map(lambda x: x / 20), min_size=3, max_size=15)


def draws(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_an_effect_of_a_mean_is_students_t():
    values = draws(12)
    effect = Effect(values.mean(), stats.sem(values), 11)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert effect.interval(0.9) == pytest.approx((expected.low, expected.high), abs=1e-9)
    p, _, _ = ttost_paired(values, np.zeros(12), -0.4, 0.5)
    assert effect.equivalence(-0.4, 0.5) == pytest.approx(p, abs=1e-9)


def test_the_interval_and_the_two_tests_agree():
    effect = Effect(0.2, 0.1, 20)
    low, high = effect.interval(0.9)
    assert effect.equivalence(low - 1e-9, high + 1e-9) < 0.05 < effect.equivalence(low - 1e-9, high - 1e-9)


def test_effects_without_an_error_are_defined():
    assert Effect(0.2, 0.0, math.inf).interval() == (0.2, 0.2)
    assert Effect(0.2, 0.0, math.inf).equivalence(-1, 1) == 0
    assert Effect(0.2, 0.0, math.inf).equivalence(0.2, 1) == 1
    assert Effect(math.inf, math.nan, math.nan).equivalence(-1, 1) == 1
    assert all(math.isnan(end) for end in Effect(math.inf, math.nan, math.nan).interval())
    with pytest.raises(BadValue):
        Effect(0, 1, 5).equivalence(1, 1)
    with pytest.raises(BadValue):
        Effect(0, 1, 5).interval(1)


@given(SCORES, SCORES)
def test_the_ratio_is_that_of_the_mads(a, b):
    effect = log_mad_ratio(a, b)
    if min(mad(a), mad(b)) > 0:
        assert effect.estimate == pytest.approx(math.log(mad(a) / mad(b)), abs=1e-12)
        assert log_mad_ratio(b, a).estimate == pytest.approx(-effect.estimate, abs=1e-12)
        assert log_mad_ratio(b, a).error == pytest.approx(effect.error, abs=1e-12)


@pytest.mark.parametrize("paired", [False, True])
def test_its_error_is_the_jackknifes(paired):
    a, b = draws(2, 400, seed=3)
    a, b = np.exp(a), np.exp(0.5 * b + 0.5 * a)  # skewed, so that the pull on the mean counts

    def estimate(keep):
        return log_mad_ratio(a[keep], b[keep]).estimate

    keeps = [np.arange(400) != i for i in range(400)]
    jackknife = np.sqrt(399**2 / 400 * np.var([estimate(keep) for keep in keeps], ddof=1) * 400 / 399)
    if paired:
        assert log_mad_ratio(a, b, paired=True).error == pytest.approx(jackknife, rel=0.02)
    else:
        alone = [np.std([log_mad_ratio(x[k], x).estimate for k in keeps]) * 399 / math.sqrt(399) for x in (a, b)]
        assert log_mad_ratio(a, b).error == pytest.approx(math.hypot(*alone), rel=0.02)


@pytest.mark.parametrize("paired", [False, True])
def test_its_interval_covers_the_truth(paired):
    table = draws(1500, 3, 20, seed=9)
    shared = table[:, 2] * (1 if paired else 0)
    samples = zip(2 * (table[:, 0] + shared), table[:, 1] + shared, strict=True)
    ends = np.array([log_mad_ratio(a, b, paired).interval() for a, b in samples])
    covered = (ends[:, 0] <= math.log(2)) & (math.log(2) <= ends[:, 1])
    assert covered.mean() == pytest.approx(0.95, abs=0.02)


def test_ratios_without_spread_or_scores_are_defined():
    assert log_mad_ratio([1, 1, 1], [2, 2, 2]) == Effect(0.0, 0.0, math.inf)
    assert log_mad_ratio([1, 1, 1], [1, 2, 3]).estimate == -math.inf
    assert log_mad_ratio([1, 2, 3], [1, 1, 1]).estimate == math.inf
    assert math.isnan(log_mad_ratio([1, 2], [1, 2, 3]).estimate)


@given(SCORES, SCORES)
def test_superiority_is_mann_and_whitneys_u(a, b):
    u = stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)) if a != b or len(set(a)) > 1 else 0.5
    assert superiority_effect(a, b).estimate == pytest.approx(u, abs=1e-9)


def test_superiority_by_hand():
    # Of each of a the share of b below it: 0, 1/2 and a tie, 1; of each of b the share of a below it: 1/3, 1/2.
    effect = superiority_effect([1, 3, 5], [2, 3, 2.5])
    above, below = np.array([0, 2.5 / 3, 1]), np.array([1 / 3, 1.5 / 3, 1 / 3])
    assert effect.estimate == pytest.approx(above.mean())
    error = math.sqrt(above.var(ddof=1) / 3 + below.var(ddof=1) / 3)
    assert effect.error == pytest.approx(error)


@pytest.mark.parametrize("paired", [False, True])
def test_identical_samples_are_equivalent_when_paired(paired):
    scores = draws(20)
    effect = superiority_effect(scores, scores, paired)
    assert effect.estimate == pytest.approx(0.5)
    assert (effect.error == 0) == paired
    assert effect.equivalence(0.25, 0.75) < 0.01


def test_samples_that_do_not_overlap_have_no_error_and_too_few_scores_no_estimate():
    assert superiority_effect([4, 5, 6], [1, 2, 3]).interval() == (1, 1)
    assert math.isnan(superiority_effect([4, 5], [1, 2, 3]).estimate)
