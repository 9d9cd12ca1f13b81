from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from bench_lib.core.errors import BadValue
from bench_lib.stats.bootstrap import CHUNK, two_sample_interval
from bench_lib.stats.location import iqm
from bench_lib.stats.profiles import (
    mean_of_means,
    pooled_iqm,
    profile_share,
    ratio_profile,
    score_profile,
    stratified_interval,
)

GROUPS = st.lists(st.lists(st.floats(-10, 10), min_size=2, max_size=12), min_size=1, max_size=5)
COSTS = st.tuples(st.integers(1, 8), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.one_of(st.integers(0, 4).map(float), st.just(math.inf)))
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Enumerating(np.random.Generator):
    """Draws each of the 16 resamples of two tasks of two scores as often as the others, one task after the other."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))
        self.task = itertools.cycle((0, 1))

    def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:
        rows = np.array(list(itertools.product(range(low, high), repeat=4)))
        start = 2 * next(self.task)
        return np.tile(rows[:, start : start + 2], (size[0] // 16, 1))


# ---- score profiles --------------------------------------------------------------------------------------------------


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
@settings(deadline=None, max_examples=40)
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


# ---- ratio profiles --------------------------------------------------------------------------------------------------


def test_a_ratio_profile_by_hand() -> None:
    costs = [[1.0, 2.0, 3.0], [4.0, 1.0, 1.0], [2.0, 2.0, math.inf]]
    found = ratio_profile(costs, [1, 2, 3, 4, 1e9])
    assert found == pytest.approx(
        np.array([[2, 2, 2, 3, 3], [2, 3, 3, 3, 3], [1, 1, 2, 2, 2]]) / 3,
        abs=1e-12,
    )


def test_a_cost_of_zero_is_reached_by_zero_alone_unless_there_is_a_floor() -> None:
    costs = [[0.0, 0.0, 1e-3], [0.0, 0.002, 0.008]]
    assert ratio_profile(costs, [1, 1e100]).tolist() == [[1, 1], [0.5, 0.5], [0, 0]]
    assert ratio_profile(costs, [1, 2, 8], floor=1e-3).tolist() == [[1, 1, 1], [0.5, 1, 1], [0.5, 0.5, 1]]


def test_a_task_where_all_failed_is_won_by_none() -> None:
    assert ratio_profile([[math.inf, math.inf], [1, 2]], [1, 100]).tolist() == [[0.5, 0.5], [0, 0.5]]


def test_rounding_takes_no_win() -> None:
    assert ratio_profile([[0.1 + 0.2, 0.3]], [1]).tolist() == [[1], [1]]
    assert ratio_profile([[0.1, 0.3]], [3]).tolist() == [[1], [1]]


@given(COSTS, st.floats(0, 3))
def test_a_ratio_profile_rises_and_someone_wins_every_task_not_all_fail(costs: np.ndarray, floor: float) -> None:
    found = ratio_profile(costs, [1, 1.5, 2, 4, 1e50], floor)
    assert found.shape == (costs.shape[1], 5)
    assert (np.diff(found, axis=1) >= 0).all()
    assert found[:, 0].sum() >= np.isfinite(costs).any(axis=1).mean() - 1e-12
    assert (found <= np.isfinite(costs).mean(axis=0)[:, None]).all()


@given(COSTS)
def test_a_ratio_profile_is_of_ratios(costs: np.ndarray) -> None:
    costs = costs + 1
    best = np.where(np.isinf(costs).all(axis=1), 1, costs.min(axis=1))[:, None]
    for tau in (1, 1.7, 2.6):
        assert ratio_profile(costs, [tau])[:, 0] == pytest.approx((costs / best <= tau).mean(axis=0), abs=1e-12)


def test_a_ratio_profile_without_tasks_or_techniques() -> None:
    assert np.isnan(ratio_profile(np.zeros((0, 2)), [1, 2])).all()
    assert ratio_profile(np.zeros((0, 2)), [1, 2, 3]).shape == (2, 3)
    assert ratio_profile(np.zeros((2, 0)), [1, 2, 3]).shape == (0, 3)


@pytest.mark.parametrize(
    ("costs", "taus", "floor", "message"),
    [
        ([[-1.0, 2.0]], [1], 0, r"costs\[0, 0\] is -1"),
        ([[1.0, math.nan]], [1], 0, r"costs\[0, 1\] is nan"),
        ([[1.0, -math.inf]], [1], 0, r"costs\[0, 1\]"),
        ([1.0, 2.0], [1], 0, "two dimensions"),
        ([[1.0], [1.0, 2.0]], [1], 0, "of one length"),
        ([[1.0, 2.0]], [0.5], 0, r"tau is 0\.5"),
        ([[1.0, 2.0]], [1], -1, "floor"),
        ([[1.0, 2.0]], [1], math.nan, "floor"),
    ],
)
def test_what_a_ratio_profile_cannot_use_is_refused(
    costs: object, taus: list[float], floor: float, message: str
) -> None:
    with pytest.raises(BadValue, match=message):
        ratio_profile(costs, taus, floor)


# ---- intervals -------------------------------------------------------------------------------------------------------


def test_aggregates_by_hand() -> None:
    rows = [np.array([1.0, 2.0, 9.0]), np.array([4.0])]
    assert mean_of_means(rows) == pytest.approx(4.0, abs=1e-12)
    assert pooled_iqm(rows) == pytest.approx(3.0, abs=1e-12)
    many = [generator(1).normal(size=(7, 5)), generator(2).normal(size=(7, 9))]
    assert pooled_iqm(many) == pytest.approx([iqm([*a, *b]) for a, b in zip(*many, strict=True)], abs=1e-12)
    assert mean_of_means(many) == pytest.approx([(a.mean() + b.mean()) / 2 for a, b in zip(*many, strict=True)])


def test_the_interval_of_every_resample_by_hand() -> None:
    # The means of the first task's resamples are 0, 1/2, 1/2 and 1, and those of the second's ten times that.
    low, high = stratified_interval(mean_of_means, [[0, 1], [0, 10]], Enumerating(), 0.5, resamples=1600)
    values = np.add.outer([0, 0.5, 0.5, 1], [0, 5, 5, 10]).ravel() / 2
    assert (low, high) == pytest.approx(tuple(np.quantile(np.repeat(values, 100), [0.25, 0.75])), abs=1e-12)


def test_two_tasks_are_resampled_as_two_arms_are() -> None:
    a, b = generator(1).normal(size=20), generator(2).normal(size=31)
    arms = two_sample_interval(lambda x, y: x.mean(axis=-1) + y.mean(axis=-1), (a, b), generator(7))
    found = stratified_interval(mean_of_means, [a, b], generator(7))
    assert found == pytest.approx((arms[0] / 2, arms[1] / 2), abs=1e-9)


def test_the_difference_between_tasks_is_no_spread() -> None:
    groups = [generator(k).normal(100 * k, 1, 20) for k in range(5)]
    low, high = stratified_interval(mean_of_means, groups, generator())
    # Standard error of the mean of five means of 20.
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(100), rel=0.2)
    assert low < 200 < high


@given(GROUPS)
@settings(deadline=None, max_examples=40)
def test_intervals_stay_among_the_scores(groups: list[list[float]]) -> None:
    scores = list(itertools.chain(*groups))
    for aggregate in (mean_of_means, pooled_iqm):
        low, high = stratified_interval(aggregate, groups, generator(), resamples=200)
        assert min(scores) - 1e-9 <= low <= high <= max(scores) + 1e-9


@pytest.mark.parametrize("groups", [[], [[]], [[0.1]], [[0.1, 0.2], [0.5]], [[0.1, 0.2], []]])
def test_too_few_seeds_have_no_interval(groups: list[list[float]]) -> None:
    assert all(math.isnan(end) for end in stratified_interval(mean_of_means, groups, generator()))


def test_equal_scores_have_an_interval_without_width() -> None:
    assert stratified_interval(pooled_iqm, [[0.7] * 4, [0.7] * 9], generator()) == (0.7, 0.7)


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=10)
def test_equal_seeds_give_equal_bits(seed: int) -> None:
    groups = [generator(k).normal(size=5 + k) for k in range(3)]
    first, second = (stratified_interval(pooled_iqm, groups, generator(seed), resamples=300) for _ in range(2))
    assert first == second
    one, two = (score_profile(groups, [-0.5, 0, 0.5], generator(seed), resamples=300) for _ in range(2))
    assert (one.low == two.low).all()
    assert (one.high == two.high).all()


def test_another_seed_gives_another_interval() -> None:
    groups = generator(1).normal(size=(2, 20))
    assert stratified_interval(pooled_iqm, groups, generator(1)) != stratified_interval(
        pooled_iqm, groups, generator(2)
    )


def test_what_an_interval_cannot_use_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[0\]"):
        stratified_interval(mean_of_means, [[math.nan, 1]], generator())
    with pytest.raises(BadValue, match="confidence"):
        stratified_interval(mean_of_means, [], generator(), 1.0)
    with pytest.raises(BadValue, match="shape of the statistic"):
        stratified_interval(lambda rows: rows[0], [[0.1, 1]], generator())


@given(GROUPS, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_the_share_alone_is_that_of_the_profile(groups: list[list[float]], failures: list[int]) -> None:
    levels = [-1.0, 0.0, 1.0]
    counts = failures[: len(groups)]
    whole = score_profile(groups, levels, generator(), counts, resamples=100)
    assert np.array_equal(profile_share(groups, levels, counts), whole.share)
