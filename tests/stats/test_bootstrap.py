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

from bench_lib.core.errors import BadValue
from bench_lib.stats.bootstrap import (
    CHUNK,
    CHUNK_OF_ONE,
    Floats,
    Statistic,
    analytic_mean_interval,
    bca_interval,
    check_plan,
    draws,
    mean_interval,
    rounding,
)

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

    def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:
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

    def integers(self, low: int, high: int, size: tuple[int, int]) -> np.ndarray:
        return np.zeros(size, dtype=np.int64)


@pytest.mark.parametrize("scores", [[0.1, 0.3], [0.1, 0.2, 0.6], [0.6, 0.2, 0.1]])
def test_resamples_all_on_one_side_still_have_an_interval(scores: list[float]) -> None:
    ends = mean_interval(scores, OneSided(np.random.PCG64(0)), resamples=100)
    assert ends == pytest.approx((scores[0], scores[0]), abs=1e-12)


@given(st.integers(0, 2**32), SCORES)
@settings(max_examples=30)
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
@settings(max_examples=60)
def test_the_interval_holds_the_mean_and_stays_among_the_scores(scores: list[float]) -> None:
    low, high = mean_interval(scores, generator(), resamples=999)
    assert low - 1e-9 <= np.mean(scores) <= high + 1e-9
    assert min(scores) <= low <= high <= max(scores)


@given(LATTICE, st.sampled_from([0.1, -3.7, 1000.3]), st.sampled_from([0.1, 3.0, 700.0]))
@settings(max_examples=60)
def test_it_moves_and_scales_with_the_scores_even_where_means_are_tied(
    scores: list[float], shift: float, factor: float
) -> None:
    # Rounding differs from scale to scale: were it to decide ties, the bias would differ too.
    low, high = mean_interval(scores, generator(), resamples=999)
    moved = mean_interval(np.array(scores) * factor + shift, generator(), resamples=999)
    assert moved == pytest.approx((low * factor + shift, high * factor + shift), abs=1e-8)


@given(SCORES)
@settings(max_examples=30)
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


@pytest.mark.parametrize(
    ("n", "ends"),
    [
        (2, (0.2616121342493164, 0.2984911434141233)),
        (8, (0.41352851129042684, 0.770473125531292)),
        (30, (0.41599571629409365, 0.6118962852940165)),
        (200, (0.4728412639783368, 0.5512685988038333)),
    ],
)
def test_reports_that_were_written_keep_their_intervals(n: int, ends: tuple[float, float]) -> None:
    assert mean_interval(generator(n).random(n), generator(11)) == pytest.approx(ends, abs=1e-14)


def test_more_resamples_than_are_held_at_a_time_are_still_those_of_one_draw() -> None:
    scores = generator(5).lognormal(size=60)
    assert 9999 * scores.size > 2 * CHUNK_OF_ONE
    theirs = bootstrap((scores,), np.mean, n_resamples=9999, method="BCa", rng=generator(7)).confidence_interval
    assert mean_interval(scores, generator(7)) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


# ---- any statistic ---------------------------------------------------------------------------------------------------


def mean_of(rows: Floats) -> Floats:
    return np.asarray(rows.mean(axis=-1))


def mad_of(rows: Floats) -> Floats:
    return np.asarray(np.abs(rows - rows.mean(axis=-1, keepdims=True)).mean(axis=-1))


def sd_of(rows: Floats) -> Floats:
    return np.asarray(rows.std(axis=-1, ddof=1))


def variance_of(rows: Floats) -> Floats:
    return np.asarray(rows.var(axis=-1))


def lowest(rows: Floats) -> Floats:
    return np.asarray(rows.min(axis=-1))


def median_of(rows: Floats) -> Floats:
    return np.asarray(np.median(rows, axis=-1))


@pytest.mark.parametrize("statistic", [mean_of, mad_of, sd_of, lowest, median_of])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [15, 20, 150])
def test_bca_agrees_with_scipy(statistic: Statistic, confidence: float, n: int) -> None:
    scores = generator(n).lognormal(size=n)
    theirs = bootstrap(
        (scores,), statistic, n_resamples=1999, confidence_level=confidence, method="BCa", rng=generator(7)
    ).confidence_interval
    ours = bca_interval(statistic, scores, generator(7), confidence, resamples=1999)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize("statistic", [mean_of, mad_of, variance_of])
def test_bca_agrees_with_scipy_on_ties_that_rounding_spares(statistic: Statistic) -> None:
    # The mean of sixteen whole numbers is exact in binary.
    scores = generator(3).integers(0, 4, 16)
    theirs = bootstrap((scores,), statistic, n_resamples=1999, method="BCa", rng=generator(7)).confidence_interval
    ours = bca_interval(statistic, scores, generator(7), resamples=1999)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.one_of(st.lists(st.integers(-80, 80).map(lambda k: k / 8), min_size=2, max_size=30), LATTICE))
@settings(max_examples=60)
def test_bca_of_the_mean_is_the_interval_of_the_mean(scores: list[float]) -> None:
    expected = mean_interval(scores, generator(), resamples=500)
    assert bca_interval(mean_of, scores, generator(), resamples=500) == pytest.approx(expected, abs=1e-9)


def test_ties_and_jackknife_by_hand() -> None:
    # The variance of 0 1 3 8 is 74/4 - 9 = 19/2; without each score in turn it is 26/3, 98/9, 38/3 and 14/9.
    scores = [0.0, 1.0, 3.0, 8.0]
    found = np.array([np.var(drawn) for drawn in itertools.product(scores, repeat=4)])
    bias = ndtri((np.sum(found < 9.5) + np.sum(found == 9.5) / 2) / 256)
    assert np.sum(found == 9.5) >= 24
    without = np.array([26 / 3, 98 / 9, 38 / 3, 14 / 9])
    pull = 3 * (without.mean() - without)
    acceleration = (pull**3).sum() / 4**3 / (6 * ((pull**2).sum() / 4**2) ** 1.5)
    shifted = bias + ndtri(np.array([0.25, 0.75]))
    expected = np.quantile(found, ndtr(bias + shifted / (1 - acceleration * shifted)))
    ends = bca_interval(variance_of, scores, Enumerating(np.random.PCG64(0)), 0.5, resamples=256)
    assert ends == pytest.approx(tuple(expected), abs=1e-9)
    unskewed = np.quantile(found, ndtr(bias + shifted))
    assert np.all(np.abs(expected - unskewed) > 0.01)


@given(LATTICE, st.sampled_from([0.1, -3.7, 1000.3]), st.sampled_from([0.1, 3.0, 700.0]))
@settings(max_examples=60)
def test_bca_moves_and_scales_with_the_scores_even_where_statistics_are_tied(
    scores: list[float], shift: float, factor: float
) -> None:
    low, high = bca_interval(mad_of, scores, generator(), resamples=500)
    moved = bca_interval(mad_of, np.array(scores) * factor + shift, generator(), resamples=500)
    assert moved == pytest.approx((low * factor, high * factor), abs=1e-8)


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_no_statistic_of_fewer_than_two_scores_has_an_interval(scores: list[float]) -> None:
    assert all(math.isnan(end) for end in bca_interval(mean_of, scores, generator()))


@given(st.floats(-1e100, 1e100), st.integers(2, 30))
def test_a_statistic_of_equal_scores_is_its_own_interval(value: float, n: int) -> None:
    assert bca_interval(lowest, [value] * n, generator(), resamples=100) == (value, value)
    assert bca_interval(mad_of, [0.5] * n, generator(), resamples=100) == (0.0, 0.0)


def test_a_statistic_that_never_moves_is_its_own_interval() -> None:
    ends = bca_interval(lambda rows: np.full(rows.shape[:-1], 0.1), [0.1, 0.7, 0.2], generator())
    assert ends == (0.1, 0.1)


def test_a_statistic_may_need_two_scores() -> None:
    low, high = bca_interval(sd_of, [0.0, 1.0], generator())
    assert low == 0.0
    assert high == pytest.approx(math.sqrt(0.5), abs=1e-12)


@pytest.mark.parametrize("scores", [[-1e100, 1e100, 0.0], [0.0, 5e-324, 0.0], [0.0] * 999 + [1.0]])
@pytest.mark.parametrize("confidence", [0.95, 1 - 2**-53])
def test_bca_copes_with_hardly_any_spread_and_with_outliers(scores: list[float], confidence: float) -> None:
    low, high = bca_interval(mean_of, scores, generator(), confidence, resamples=200)
    assert min(scores) <= low < high <= max(scores)


@given(st.integers(0, 2**32), SCORES)
@settings(max_examples=20)
def test_equal_seeds_give_any_statistic_equal_bits(seed: int, scores: list[float]) -> None:
    first = bca_interval(mad_of, scores, generator(seed), resamples=500)
    assert bca_interval(mad_of, scores, generator(seed), resamples=500) == first


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_statistic_that_is_no_number_is_refused(bad: float) -> None:
    def lacking(rows: Floats) -> Floats:
        return np.where(rows.max(axis=-1) == rows.min(axis=-1), bad, rows.mean(axis=-1))

    with pytest.raises(BadValue, match="statistic is"):
        bca_interval(lacking, [0.1, 0.2, 0.4], generator())


def test_a_statistic_that_is_no_number_without_one_score_is_refused() -> None:
    def lacking(rows: Floats) -> Floats:
        return np.full(rows.shape[:-1], 1.0 if rows.shape[-1] == 3 else math.inf)

    with pytest.raises(BadValue, match="one score left out"):
        bca_interval(lacking, [0.1, 0.2, 0.4], generator())


def test_a_statistic_of_all_rows_at_once_is_refused() -> None:
    with pytest.raises(BadValue, match="shape of the statistic"):
        bca_interval(np.mean, [0.1, 0.2, 0.4], generator())


def test_any_statistic_asks_for_a_sound_plan_and_sound_scores() -> None:
    with pytest.raises(BadValue, match="confidence"):
        bca_interval(mean_of, [], generator(), 1.0)
    with pytest.raises(BadValue, match="resamples is 99"):
        bca_interval(mean_of, [], generator(), resamples=99)
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        bca_interval(mean_of, [0.1, math.nan], generator())


def test_a_plan_is_checked() -> None:
    check_plan(0.5, 100)
    with pytest.raises(BadValue, match="confidence"):
        check_plan(math.nan, 100)


# ---- the parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[1], [30], [30, 20], [CHUNK + 1]])
def test_draws_come_in_bounded_chunks(sizes: list[int]) -> None:
    resamples = 7 if sizes[0] > CHUNK else 20_000
    chunks = list(draws(sizes, generator(), resamples))
    assert sum(chunk[0].shape[0] for chunk in chunks) == resamples
    for chunk in chunks:
        assert [one.shape[1] for one in chunk] == sizes
        assert sum(one.size for one in chunk) <= max(CHUNK, sum(sizes))
        assert all(one.min() >= 0 and one.max() < size for one, size in zip(chunk, sizes, strict=True))


def test_the_draws_of_one_sample_do_not_depend_on_the_chunks() -> None:
    whole = generator(3).integers(0, 77, (5000, 77))
    assert 2 * CHUNK_OF_ONE < 5000 * 77
    assert np.array_equal(np.concatenate([rows for (rows,) in draws([77], generator(3), 5000)]), whole)


def test_rounding_grows_with_the_largest_number() -> None:
    assert abs(0.1 + 0.2 - 0.3) <= rounding(np.array([0.3]), np.array([])) < 1e-14
    assert rounding(np.array([-1e10, 2.0]), np.array([1.0])) == rounding(np.array([1e10]))
    assert rounding(np.array([])) == 0.0


SAMPLES = {
    "normal": (lambda drawn, n: drawn.normal(0.8, 0.01, n), 0.03),
    "some of failed runs": (lambda drawn, n: np.where(drawn.random(n) < 0.08, 0.5, drawn.normal(0.8, 0.01, n)), 0.03),
    "skewed": (lambda drawn, n: drawn.lognormal(size=n), 0.03),
    "two outliers": (lambda drawn, n: np.concatenate([[0.2, 0.2], drawn.normal(0.8, 0.001, n - 2)]), 0.2),
    "one outlier": (lambda drawn, n: np.concatenate([[0.2], drawn.normal(0.8, 0.001, n - 1)]), 0.2),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [100, 286])
def test_of_many_scores_the_formula_gives_the_interval_of_endless_resamples(name: str, n: int) -> None:
    make, most = SAMPLES[name]
    scores = make(generator(1), n)
    endless = mean_interval(scores, generator(2), resamples=100_000)
    error = scores.std() / math.sqrt(n)
    assert analytic_mean_interval(scores) == pytest.approx(endless, abs=most * error)


@pytest.mark.parametrize("confidence", [0.5, 0.99])
def test_the_formula_follows_the_confidence_and_the_side_of_the_skew(confidence: float) -> None:
    scores = generator(3).lognormal(size=200)
    low, high = analytic_mean_interval(scores, confidence)
    assert (low, high) == pytest.approx(mean_interval(scores, generator(4), confidence, 40_000), abs=0.03)
    assert high - scores.mean() > scores.mean() - low
    assert analytic_mean_interval(-scores, confidence) == pytest.approx((-high, -low))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_formula_stays_within_the_scores_at_any_confidence(sign: int) -> None:
    scores = sign * SAMPLES["one outlier"][0](generator(5), 100)
    ends = np.array([analytic_mean_interval(scores, 1 - 10.0**-digits) for digits in range(1, 16)])
    assert (np.diff(ends[:, 0]) <= 0).all()
    assert (np.diff(ends[:, 1]) >= 0).all()
    assert scores.min() <= ends.min() < scores.mean() < ends.max() <= scores.max()


def test_the_formula_of_few_or_equal_scores_is_as_that_of_resamples() -> None:
    assert all(math.isnan(end) for end in analytic_mean_interval([0.5]))
    assert analytic_mean_interval([0.1 + 0.2] * 150) == (0.1 + 0.2, 0.1 + 0.2)
    with pytest.raises(BadValue, match="confidence is 1"):
        analytic_mean_interval([0.1, 0.2], 1)
    with pytest.raises(BadValue, match="scores"):
        analytic_mean_interval([0.1, math.nan])
