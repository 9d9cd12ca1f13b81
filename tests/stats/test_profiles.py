from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from bench_lib.core.errors import BadValue
from bench_lib.stats.bootstrap import CHUNK
from bench_lib.stats.profiles import profile_share, score_profile

GROUPS = st.lists(st.lists(st.floats(-10, 10), min_size=2, max_size=12), min_size=1, max_size=5)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_score_profile_by_hand() -> None:
    found = score_profile([[0.1, 0.5, 0.9], [0.5, 0.6, 0.7]], [0.0, 0.5, 0.65, 0.9, 2.0], generator())
    assert found.share == pytest.approx([1, (1 / 3 + 2 / 3) / 2, 1 / 3, 0, 0], abs=1e-12)
    assert found.thresholds.tolist() == [0.0, 0.5, 0.65, 0.9, 2.0]


def test_tasks_with_unequal_numbers_of_runs_weigh_the_same() -> None:
    found = score_profile([[0, 1], [0, 0, 0, 0, 1]], [0.5], generator())
    assert found.share == pytest.approx([(1 / 2 + 1 / 5) / 2], abs=1e-12)


def test_failures_lie_above_no_threshold() -> None:
    found = score_profile([[1, 1], [1, 1, 1]], [-9, 0.5, 2], generator(), failures=[2, 0])
    assert found.share == pytest.approx([3 / 4, 3 / 4, 0], abs=1e-12)
    assert found.low[0] == found.low[1] < 3 / 4 < found.high[0]
    only = score_profile([[], []], [0.5], generator(), failures=[2, 3])
    assert (only.share[0], only.low[0], only.high[0]) == (0, 0, 0)


def test_a_score_at_the_threshold_is_not_above_it_whatever_rounding_says() -> None:
    assert score_profile([[0.1 + 0.2, 0.3]], [0.3], generator()).share.tolist() == [0]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_band_of_one_task_is_that_of_a_binomial_share(confidence: float) -> None:
    # 12 of 20 runs lie above: a resample has a binomial number of them.
    found = score_profile([[0.0] * 8 + [1.0] * 12], [0.5], generator(1), confidence=confidence, resamples=40_000)
    expected = binom.ppf([(1 - confidence) / 2, (1 + confidence) / 2], 20, 0.6) / 20
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_band_of_two_tasks_is_that_of_the_mean_of_two_binomial_shares() -> None:
    scores = [[0.0] * 3 + [1.0] * 7, [0.0] * 20 + [1.0] * 10]
    found = score_profile(scores, [0.5], generator(1), confidence=0.88, resamples=40_000)
    # The mean of both shares in 60ths: three for each of the first task's runs, one for each of the second's.
    sixtieths = np.add.outer(3 * np.arange(11), np.arange(31)).ravel()
    chances = np.multiply.outer(binom.pmf(range(11), 10, 0.7), binom.pmf(range(31), 30, 1 / 3)).ravel()
    below = np.cumsum(np.bincount(sixtieths, chances))
    ends = np.searchsorted(below, [0.06, 0.94])
    assert np.abs(below - [[0.06], [0.94]]).min() > 0.004  # more than 40,000 resamples can miss it by
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(ends / 60), abs=1e-12)


@given(GROUPS)
@settings(max_examples=40)
def test_the_band_holds_the_share_and_falls_with_it(groups: list[list[float]]) -> None:
    found = score_profile(groups, np.linspace(-11, 11, 23), generator(), resamples=300)
    assert (found.low <= found.share + 1e-9).all()
    assert (found.share <= found.high + 1e-9).all()
    for line in (found.share, found.low, found.high):
        assert (np.diff(line) <= 1e-12).all()
        assert (line[0], line[-1]) == (1, 0)


def test_more_resamples_than_are_held_at_a_time() -> None:
    scores = generator(3).normal(size=(2, 200))
    assert scores[0].size * 3000 > 2 * CHUNK
    found = score_profile(scores, [0.0], generator(), resamples=3000)
    assert 0.3 < found.low[0] < found.share[0] < found.high[0] < 0.7


def test_too_few_runs_have_no_band_and_none_no_share() -> None:
    one = score_profile([[0.1, 0.9], [0.9]], [0.5], generator())
    assert one.share.tolist() == [0.75]
    assert np.isnan([one.low, one.high]).all()
    for scores in ([[0.1, 0.9], []], []):
        none = score_profile(scores, [0.5, 0.6], generator())
        assert np.isnan([none.share, none.low, none.high]).all()
        assert none.share.shape == (2,)


def test_no_threshold_is_no_profile() -> None:
    assert score_profile([[0.1, 0.9]], [], generator()).share.shape == (0,)
    assert score_profile([[0.1, 0.9]], [], generator()).high.shape == (0,)


def test_what_a_score_profile_cannot_use_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        score_profile([[0.1, math.nan]], [0.5], generator())
    with pytest.raises(BadValue, match="tasks with failures is 1"):
        score_profile([[0.1, 0.2]] * 2, [0.5], generator(), failures=[1])
    with pytest.raises(BadValue, match="number of failures is -1"):
        score_profile([[0.1, 0.2]], [0.5], generator(), failures=[-1])
    with pytest.raises(BadValue, match=r"number of failures is 0\.5"):
        score_profile([[0.1, 0.2]], [0.5], generator(), failures=[0.5])
    with pytest.raises(BadValue, match="resamples"):
        score_profile([[0.1, 0.2]], [0.5], generator(), resamples=10)


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_equal_seeds_give_equal_bits(seed: int) -> None:
    groups = [generator(k).normal(size=5 + k) for k in range(3)]
    one, two = (score_profile(groups, [-0.5, 0, 0.5], generator(seed), resamples=300) for _ in range(2))
    assert (one.low == two.low).all()
    assert (one.high == two.high).all()


@given(GROUPS, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_the_share_alone_is_that_of_the_profile(groups: list[list[float]], failures: list[int]) -> None:
    levels = [-1.0, 0.0, 1.0]
    counts = failures[: len(groups)]
    whole = score_profile(groups, levels, generator(), counts, resamples=100)
    assert np.array_equal(profile_share(groups, levels, counts), whole.share)
