from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import bootstrap

from bench_lib.errors import BadValue
from bench_lib.stats.bootstrap import mean_interval

SCORES = st.lists(st.floats(-10, 10), min_size=2, max_size=30)
LATTICE = st.lists(st.integers(0, 20).map(lambda k: 0.7 + k / 400), min_size=2, max_size=30)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [15, 20, 60])
def test_it_agrees_with_scipy_where_no_mean_is_tied(n: int, confidence: float) -> None:
    scores = generator(n).lognormal(size=n)
    theirs = bootstrap(
        (scores,), np.mean, n_resamples=1999, confidence_level=confidence, method="BCa", rng=generator(7)
    ).confidence_interval
    ours = mean_interval(scores, generator(7), confidence, resamples=1999)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


class Enumerating(np.random.Generator):
    """Draws each of the n**n resamples once, so that the bootstrap distribution is exact."""

    def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:  # type: ignore[override]
        rows = np.array(list(itertools.product(range(low, high), repeat=size[1])))
        assert rows.shape == size
        return rows


def test_ties_count_by_half() -> None:
    # Of the 256 resamples of 0 0 0 1, 81 have mean 0, 108 the mean 1/4 itself, 54 have 2/4, 12 have 3/4 and 1 has 1.
    low, high = mean_interval([0.1, 0.1, 0.1, 0.3], Enumerating(np.random.PCG64(0)), 0.5, resamples=256)
    bias = ndtri((81 + 108 / 2) / 256)
    acceleration = (-3 / 64 + 27 / 64) / (6 * (3 / 16 + 9 / 16) ** 1.5)
    shifted = bias + ndtri(np.array([0.25, 0.75]))
    levels = ndtr(bias + shifted / (1 - acceleration * shifted))
    means = np.repeat([0.1, 0.15, 0.2, 0.25, 0.3], [81, 108, 54, 12, 1])
    assert (low, high) == pytest.approx(tuple(np.quantile(means, levels)), abs=1e-9)


class OneSided(np.random.Generator):
    """Draws the first score only."""

    def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:  # type: ignore[override]
        return np.zeros(size, dtype=np.int64)


@pytest.mark.parametrize("scores", [[0.1, 0.3], [0.1, 0.2, 0.6], [0.6, 0.2, 0.1]])
def test_resamples_all_on_one_side_still_have_an_interval(scores: list[float]) -> None:
    ends = mean_interval(scores, OneSided(np.random.PCG64(0)), resamples=100)
    assert ends == pytest.approx((scores[0], scores[0]), abs=1e-12)


@given(st.integers(0, 2**32), SCORES)
@settings(deadline=None, max_examples=30)
def test_equal_seeds_give_equal_bits(seed: int, scores: list[float]) -> None:
    first = mean_interval(scores, generator(seed), resamples=500)
    assert mean_interval(scores, generator(seed), resamples=500) == first


def test_another_seed_gives_another_interval() -> None:
    scores = generator(1).normal(size=20)
    assert mean_interval(scores, generator(1)) != mean_interval(scores, generator(2))


def test_the_global_generators_are_left_alone() -> None:
    before, plain = np.random.get_state(legacy=False), random.getstate()
    mean_interval([0.1, 0.2, 0.4], generator())
    after = np.random.get_state(legacy=False)
    assert np.array_equal(before["state"]["key"], after["state"]["key"])
    assert before["state"]["pos"] == after["state"]["pos"]
    assert random.getstate() == plain


@given(st.one_of(SCORES, LATTICE))
@settings(deadline=None, max_examples=60)
def test_the_interval_holds_the_mean_and_stays_among_the_scores(scores: list[float]) -> None:
    low, high = mean_interval(scores, generator(), resamples=999)
    assert low - 1e-9 <= np.mean(scores) <= high + 1e-9
    assert min(scores) <= low <= high <= max(scores)


@given(LATTICE, st.sampled_from([0.1, -3.7, 1000.3]), st.sampled_from([0.1, 3.0, 700.0]))
@settings(deadline=None, max_examples=60)
def test_it_moves_and_scales_with_the_scores_even_where_means_are_tied(
    scores: list[float], shift: float, factor: float
) -> None:
    # Rounding differs from scale to scale: were it to decide ties, the bias would differ too.
    low, high = mean_interval(scores, generator(), resamples=999)
    moved = mean_interval(np.array(scores) * factor + shift, generator(), resamples=999)
    assert moved == pytest.approx((low * factor + shift, high * factor + shift), abs=1e-8)


@given(SCORES)
@settings(deadline=None, max_examples=30)
def test_more_confidence_is_never_narrower(scores: list[float]) -> None:
    low, high = mean_interval(scores, generator(), 0.8, resamples=999)
    wider = mean_interval(scores, generator(), 0.99, resamples=999)
    assert wider[0] <= low <= high <= wider[1]


def test_it_covers_the_true_mean_about_as_often_as_it_says() -> None:
    samples = generator(3).normal(size=(300, 30))
    intervals = np.array([mean_interval(sample, generator(k), 0.9, resamples=499) for k, sample in enumerate(samples)])
    covered = np.mean((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0))
    assert 0.84 <= covered <= 0.94


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_fewer_than_two_scores_have_no_interval(scores: list[float]) -> None:
    assert all(math.isnan(end) for end in mean_interval(scores, generator()))


@given(st.floats(-1e100, 1e100), st.integers(2, 30))
def test_equal_scores_are_their_own_interval(value: float, n: int) -> None:
    assert mean_interval([value] * n, generator()) == (value, value)


@pytest.mark.parametrize(
    "scores",
    [
        [1.0, 1.0 + 2**-52],
        [1.0, 1.0, 1.0 + 2**-52],
        [0.0, 5e-324],
        [-1e100, 1e100, 0.0],
        [0.0] * 999 + [1.0],
        [1.0] * 999 + [0.0],
    ],
)
@pytest.mark.parametrize("confidence", [0.95, 1 - 2**-53])
def test_hardly_any_spread_or_a_single_outlier_still_has_an_interval(scores: list[float], confidence: float) -> None:
    low, high = mean_interval(scores, generator(), confidence, resamples=200)
    assert min(scores) <= low <= high <= max(scores)
    assert low < high


def test_past_the_pole_of_the_formula_the_upper_end_stays_up() -> None:
    # The acceleration nears 1/6, so that at this confidence 1 - a (z0 + z) is below zero.
    scores = [0.0] * 99 + [1.0]
    usual = mean_interval(scores, generator(), 0.999, resamples=999)
    extreme = mean_interval(scores, generator(), 1 - 1e-12, resamples=999)
    assert extreme[1] >= usual[1] > np.mean(scores)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(BadValue, match="confidence"):
        mean_interval([0.1, 0.2], generator(), confidence)


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(BadValue, match="resamples is 99"):
        mean_interval([0.1, 0.2], generator(), resamples=99)


def test_a_score_that_is_none_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        mean_interval([0.1, math.nan], generator())
