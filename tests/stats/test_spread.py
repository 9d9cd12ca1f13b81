from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.stats import spread as measures
from bench_lib.stats.spread import Spread, cvar, mad, mad_over_tasks, median_ad, sd, spread

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=40)
SPREADS = (measures.mad, measures.sd, measures.iqr, measures.median_ad)
POSITIONS = (measures.mean, measures.minimum, measures.percentile_5, measures.cvar)


def test_every_measure_of_a_hand_computed_cell() -> None:
    # Mean 3.8; median 3, distances from it 0 2 6 1 1; quartiles 2 and 4; 5th percentile a fifth of the way from 1 to 2.
    found = spread([3.0, 1.0, 9.0, 2.0, 4.0])
    assert found.n == 5
    assert found.mean == pytest.approx(3.8, abs=1e-12)
    assert found.mad == pytest.approx((0.8 + 2.8 + 5.2 + 1.8 + 0.2) / 5, abs=1e-12)
    assert found.sd == pytest.approx(math.sqrt((0.64 + 7.84 + 27.04 + 3.24 + 0.04) / 4), abs=1e-12)
    assert found.iqr == pytest.approx(2.0, abs=1e-12)
    assert found.median_ad == pytest.approx(1.0, abs=1e-12)
    assert found.minimum == 1.0
    assert found.percentile_5 == pytest.approx(1.2, abs=1e-12)
    assert found.cvar == 1.0


def test_the_mad_is_around_the_mean_and_the_median_ad_around_the_median() -> None:
    scores = [0.0, 0.0, 0.0, 4.0]
    assert mad(scores) == 1.5
    assert median_ad(scores) == 0.0


def test_a_few_collapses_move_the_sd_more_than_the_mad() -> None:
    steady, hit = np.full(75, 0.93), np.r_[np.full(70, 0.93), np.full(5, 0.51)]
    assert sd(steady) == mad(steady) == 0.0
    assert sd(hit) / mad(hit) > 2


def test_mad_over_tasks_is_the_mad_of_the_means() -> None:
    assert mad_over_tasks([0.9, 0.8, 0.5, 0.4]) == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "share", "expected"),
    [
        (1, 0.1, 1.0),
        (10, 0.1, 1.0),
        (9, 0.1, 1.0),
        (20, 0.1, 1.5),
        (25, 0.1, (1 + 2 + 3 / 2) / 2.5),
        (30, 0.1, 2.0),
        (15, 0.1, (1 + 2 / 2) / 1.5),
        (4, 0.5, 1.5),
        (7, 1.0, 4.0),
        (100, 0.29, 15.0),
    ],
)
def test_cvar_averages_the_worst_share(n: int, share: float, expected: float) -> None:
    ranks = np.random.default_rng(n).permutation(np.arange(1, n + 1))
    assert cvar(ranks, share) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, math.nan])
def test_cvar_refuses_a_share_that_is_none(share: float) -> None:
    with pytest.raises(BadValue, match="above 0, at most 1"):
        cvar([1.0], share)


def test_nothing_is_known_of_no_scores() -> None:
    found = spread([])
    assert found.n == 0
    assert all(math.isnan(getattr(found, field.name)) for field in fields(Spread) if field.name != "n")
    assert math.isnan(mad_over_tasks([]))


def test_one_score_has_a_place_but_no_sd() -> None:
    found = spread([0.7])
    assert math.isnan(found.sd)
    assert (found.mad, found.iqr, found.median_ad) == (0.0, 0.0, 0.0)
    assert (found.mean, found.minimum, found.percentile_5, found.cvar) == (0.7, 0.7, 0.7, 0.7)


@given(st.floats(-1e100, 1e100), st.integers(2, 40))
def test_equal_scores_have_exactly_no_spread(value: float, n: int) -> None:
    scores = np.full(n, value)
    assert [measure(scores) for measure in SPREADS] == [0.0] * len(SPREADS)
    assert [measure(scores) for measure in POSITIONS] == [value] * len(POSITIONS)


@given(SCORES, st.floats(-10, 10))
def test_a_shift_moves_the_places_and_leaves_the_spread(scores: list[float], shift: float) -> None:
    values = np.array(scores)
    for measure in SPREADS:
        assert measure(values + shift) == pytest.approx(measure(values), abs=1e-9, nan_ok=True)
    for measure in POSITIONS:
        assert measure(values + shift) == pytest.approx(measure(values) + shift, abs=1e-9)


@given(SCORES, st.floats(-10, 10))
def test_spread_scales_with_the_size_of_the_factor(scores: list[float], factor: float) -> None:
    values = np.array(scores)
    for measure in SPREADS:
        assert measure(values * factor) == pytest.approx(measure(values) * abs(factor), abs=1e-9, nan_ok=True)


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(scores: list[float], random: object) -> None:
    shuffled = list(scores)
    random.shuffle(shuffled)
    for measure in SPREADS + POSITIONS:
        assert measure(shuffled) == pytest.approx(measure(scores), abs=1e-9, nan_ok=True)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=40))
def test_measures_keep_their_known_order(scores: list[float]) -> None:
    found = spread(scores)
    slack = 1e-9
    assert found.mad <= found.sd * math.sqrt((found.n - 1) / found.n) + slack
    assert found.minimum <= found.cvar + slack <= found.mean + 2 * slack
    assert found.minimum <= found.percentile_5
    assert found.iqr <= max(scores) - min(scores) + slack


@given(SCORES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_cvar_rises_with_the_share_up_to_the_mean(scores: list[float], one: float, other: float) -> None:
    assert cvar(scores, min(one, other)) <= cvar(scores, max(one, other)) + 1e-9
    assert cvar(scores, 1.0) == pytest.approx(float(np.mean(scores)), abs=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101, None])
def test_a_score_that_is_none_is_named(bad: float | None) -> None:
    with pytest.raises(BadValue, match=r"scores\[1\] is .*leave out runs that have no score"):
        spread([0.5, bad, 0.6])


@pytest.mark.parametrize("bad", [[[0.1, 0.2]], 0.3])
def test_scores_have_one_dimension(bad: object) -> None:
    with pytest.raises(BadValue, match="one dimension"):
        mad(bad)


@pytest.mark.parametrize("bad", [["high"], [[0.1], [0.2, 0.3]], {"a": 1}])
def test_scores_are_numbers(bad: object) -> None:
    with pytest.raises(BadValue, match="a sequence of finite numbers"):
        mad(bad)


def test_the_input_is_left_alone_and_the_result_is_frozen() -> None:
    scores = np.array([3.0, 1.0, 2.0])
    found = spread(scores)
    assert scores.tolist() == [3.0, 1.0, 2.0]
    with pytest.raises(FrozenInstanceError):
        found.mad = 0.0
