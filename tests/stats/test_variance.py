from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm, trim_mean

from bench_lib.core.errors import BadValue
from bench_lib.stats.variance import Component, one_at_a_time, variance_interval

SCORES = st.lists(st.integers(0, 400).map(lambda k: k / 400), min_size=2, max_size=30)


def test_every_component_of_a_hand_computed_case() -> None:
    # Variances 1, 4 and 10; what the two sources leave of the ten is five.
    found = one_at_a_time({"init": [1.0, 2.0, 3.0], "order": [7.0, 3.0, 5.0]}, [-math.sqrt(10), 0.0, math.sqrt(10)])
    assert [one.source for one in found] == ["init", "order", "rest", "total"]
    assert [one.variance for one in found] == pytest.approx([1.0, 4.0, 5.0, 10.0], abs=1e-9)
    assert [one.share for one in found] == pytest.approx([0.1, 0.4, 0.5, 1.0], abs=1e-9)
    assert [one.note for one in found] == [""] * 4
    # Three scores: (n - 1) s^2 over the quantiles of chi-squared with two degrees, 2 log(1 / p) from above.
    ends = 1 / -math.log(0.025), 1 / -math.log(0.975)
    for one in (found[0], found[1], found[3]):
        assert (one.low, one.high) == pytest.approx((one.variance * ends[0], one.variance * ends[1]), abs=1e-9)
    below = math.hypot(10 * (1 - ends[0]), ends[1] - 1, 4 * (ends[1] - 1))
    above = math.hypot(10 * (ends[1] - 1), 1 - ends[0], 4 * (1 - ends[0]))
    assert (found[2].low, found[2].high) == pytest.approx((5 - below, 5 + above), abs=1e-9)


def test_a_rest_below_zero_stands_as_estimated_and_as_truncated() -> None:
    rest = one_at_a_time({"init": [0.0, 2.0, 4.0], "order": [0.0, 2.0, 4.0]}, [0.0, 1.0, 2.0])[-2]
    assert rest.variance == pytest.approx(-7.0, abs=1e-12)
    assert rest.truncated == rest.share == 0.0
    assert rest.low < -7 < rest.high


@pytest.mark.parametrize("n", [5, 6, 9, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_bonetts_formula(n: int, confidence: float) -> None:
    x = np.random.default_rng(n).exponential(size=n) - 3
    z = norm.ppf((1 + confidence) / 2)
    kurtosis = n * ((x - trim_mean(x, 1 / (2 * (n - 4) ** 0.5))) ** 4).sum() / (((x - x.mean()) ** 2).sum()) ** 2
    c = n / (n - z)
    error = ((kurtosis - (n - 3) / n) / (n - 1)) ** 0.5
    expected = [math.exp(math.log(c * x.var(ddof=1)) + sign * z * c * error) for sign in (-1, 1)]
    assert variance_interval(x, confidence) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "confidence"), [(2, 0.95), (3, 0.5), (4, 0.95), (6, 0.999)])
def test_few_scores_have_the_interval_of_the_normal_distribution(n: int, confidence: float) -> None:
    x = np.random.default_rng(n).normal(size=n)
    tails = chi2.ppf([(1 + confidence) / 2, (1 - confidence) / 2], n - 1)
    assert variance_interval(x, confidence) == pytest.approx((n - 1) * x.var(ddof=1) / tails, rel=1e-9)


@given(SCORES, st.floats(0.5, 0.999))
def test_the_interval_is_of_variances(scores: list[float], confidence: float) -> None:
    low, high = variance_interval(scores, confidence)
    assert 0 <= low <= high < math.inf
    assert (low == high == 0) == (len(set(scores)) == 1)


@given(SCORES, SCORES, SCORES, st.sampled_from([-3.7, 1000.3]), st.sampled_from([0.1, -1.0, 700.0]))
@settings(max_examples=50)
def test_it_stays_where_scores_move_and_scales_with_their_square(
    init: list[float], order: list[float], together: list[float], shift: float, factor: float
) -> None:
    before = one_at_a_time({"init": init, "order": order}, together)
    samples = {"init": np.array(init) * factor + shift, "order": np.array(order) * factor - shift}
    after = one_at_a_time(samples, np.array(together) * factor + shift)
    for one, other in zip(before, after, strict=True):
        expected = [value * factor**2 for value in (one.variance, one.low, one.high)]
        assert [other.variance, other.low, other.high] == pytest.approx(expected, rel=1e-6, abs=1e-9 * factor**2)
        assert other.share == pytest.approx(one.share, rel=1e-6, abs=1e-9, nan_ok=True)


def test_parts_and_rest_add_up_to_the_total() -> None:
    generator = np.random.default_rng(4)
    *parts, total = one_at_a_time({name: generator.normal(size=9) for name in "abcd"}, generator.normal(size=20) * 3)
    assert sum(part.variance for part in parts) == pytest.approx(total.variance, abs=1e-9)
    assert total.share == 1.0


def test_known_components_come_back() -> None:
    generator = np.random.default_rng(6)
    init, order = 2 * generator.normal(size=4000), generator.normal(size=4000)
    together = 2 * generator.normal(size=4000) + generator.normal(size=4000) * math.sqrt(1 + 3)
    found = one_at_a_time({"init": init, "order": order}, together)
    assert [one.variance for one in found] == pytest.approx([4, 1, 3, 8], abs=0.6)
    assert all(one.low < truth < one.high for one, truth in zip(found, (4, 1, 3, 8), strict=True))


def test_the_interval_of_the_rest_covers_it_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(8)
    covered = 0
    for _ in range(200):
        init, order, other, noise = generator.exponential(size=(4, 20)) * [[1.0], [0.3], [1.0], [0.7]]
        both = other + 0.3 * generator.exponential(size=20) + noise
        rest = one_at_a_time({"init": init, "order": order}, both)[-2]
        covered += rest.low <= 0.49 <= rest.high
    assert 0.87 <= covered / 200 <= 0.99


@pytest.mark.parametrize("scores", [[], [0.5]])
def test_a_sample_of_fewer_than_two_runs_is_named(scores: list[float]) -> None:
    init, order, rest, total = one_at_a_time({"init": scores, "order": [0.1, 0.3]}, [0.1, 0.5])
    for one in (init, rest):
        assert all(math.isnan(value) for value in (one.variance, one.low, one.high, one.share, one.truncated))
    assert (init.note, rest.note) == ("fewer than two runs", "fewer than two runs: init")
    assert order.share == pytest.approx(0.25, abs=1e-9)
    assert total.variance == pytest.approx(0.08, abs=1e-12)


def test_without_a_total_there_are_variances_and_no_shares() -> None:
    init, rest, total = one_at_a_time({"init": [0.1, 0.3]}, [])
    assert init.variance == pytest.approx(0.02, abs=1e-12)
    assert all(math.isnan(value) for value in (init.share, rest.variance, total.variance, total.share))
    assert rest.note == "fewer than two runs: total"


def test_no_spread_anywhere_is_zero_without_shares() -> None:
    found = one_at_a_time({"init": [0.7] * 5}, [0.1 + 0.2] * 3)
    assert [(one.variance, one.low, one.high) for one in found] == [(0.0, 0.0, 0.0)] * 3
    assert all(math.isnan(one.share) for one in found)


@pytest.mark.parametrize("scores", [[1e100, -1e100, 0.0, 1.0, 2.0, 3.0], [0.0, 5e-324, 0.0, 0.0, 0.0]])
def test_sizes_at_the_edge_do_not_overflow(scores: list[float]) -> None:
    found = one_at_a_time({"init": scores}, scores)
    assert all(math.isfinite(value) for one in found for value in (one.variance, one.low, one.high))


def test_a_component_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Component("init", 1.0, 0.5, 2.0, 1.0).variance = 2.0


@pytest.mark.parametrize("names", [[], ["rest"], ["init", "total"]])
def test_sources_that_cannot_be_named_so_are_refused(names: list[str]) -> None:
    with pytest.raises(BadValue, match="sources of variance"):
        one_at_a_time({name: [0.1, 0.2] for name in names}, [0.1, 0.2])


def test_what_is_no_score_and_no_confidence_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        one_at_a_time({"init": [0.1, math.nan]}, [0.1, 0.2])
    with pytest.raises(BadValue, match="confidence"):
        variance_interval([0.1, 0.2], 95.0)
