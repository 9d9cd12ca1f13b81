from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bench_lib.core.errors import BadValue
from bench_lib.stats.noise import Noise, noise

TABLES = arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(2, 4)), elements=st.integers(0, 64).map(float))
"""Scores (seeds, repeats), whole numbers so that shifts are exact."""


def of(table: np.ndarray) -> Noise:
    return noise(table.ravel(), np.repeat(np.arange(len(table)), table.shape[1]))


def drawn(rng: np.random.Generator, seeds: int, repeats: int, between: float, within: float) -> np.ndarray:
    return rng.normal(0, between, (seeds, 1)) + rng.normal(0, within, (seeds, repeats))


@given(TABLES)
def test_it_is_the_one_way_analysis_of_variance(table: np.ndarray) -> None:
    found = of(table)
    assert (found.seeds, found.repeated, found.freedom) == (len(table), len(table), table.size - len(table))
    within = table.var(axis=1, ddof=1).mean()
    assert found.sd == pytest.approx(math.sqrt(within))
    between = table.mean(axis=1).var(ddof=1) - within / table.shape[1]
    assert found.between == pytest.approx(math.sqrt(max(between, 0)), abs=1e-5)


@given(TABLES, st.integers(-8, 8), st.sampled_from([0.25, 2.0, 8.0]))
def test_a_shift_changes_nothing_and_a_scale_scales(table: np.ndarray, shift: int, scale: float) -> None:
    one, other = of(table), of((table + shift) * scale)
    for name in ("sd", "sd_low", "sd_high", "mad", "between", "between_high"):
        assert getattr(other, name) == pytest.approx(scale * getattr(one, name), rel=1e-6, abs=1e-4 * scale)


@given(TABLES, st.integers(0, 2**32 - 1))
def test_the_order_of_the_results_does_not_matter(table: np.ndarray, shuffle: int) -> None:
    order = np.random.default_rng(shuffle).permutation(table.size)
    seeds = np.repeat(np.arange(len(table)), table.shape[1])
    one, other = noise(table.ravel(), seeds), noise(table.ravel()[order], seeds[order])
    assert vars(other) == pytest.approx(vars(one), rel=1e-6, abs=1e-5, nan_ok=True)


@given(arrays(np.float64, st.integers(2, 8), elements=st.floats(0, 1)), st.integers(2, 4))
def test_equal_results_of_each_seed_are_no_noise_at_all(scores: np.ndarray, repeats: int) -> None:
    found = of(np.repeat(scores[:, None], repeats, axis=1))
    assert (found.sd, found.sd_low, found.sd_high, found.mad) == (0, 0, 0, 0)
    assert found.between == pytest.approx(scores.std(ddof=1), abs=1e-9)
    assert found.ratio == 0 or np.ptp(scores) < 1e-9


def test_what_is_unknown_is_nan() -> None:
    none, single = noise([], []), noise([0.5, 0.6, 0.8], [0, 1, 2])
    for found in (none, single):
        assert found.freedom == found.repeated == 0
        assert all(math.isnan(v) for v in (found.sd, found.sd_low, found.mad, found.between, found.ratio))
    alone = noise([0.5, 0.6], [3, 3])
    assert (alone.seeds, alone.repeated, alone.freedom) == (1, 1, 1)
    assert alone.sd == pytest.approx(0.1 / math.sqrt(2))
    assert alone.mad == pytest.approx(0.1 / math.sqrt(2))
    assert math.isnan(alone.between)


def test_seeds_without_repeats_count_between_seeds_only() -> None:
    some = noise([0.5, 0.52, 0.6, 0.8], [0, 0, 1, 2])
    assert (some.seeds, some.repeated, some.freedom) == (3, 1, 1)
    assert some.sd == pytest.approx(0.02 / math.sqrt(2))
    spread = np.var([0.51, 0.6, 0.8], ddof=1) - some.sd**2 * (0.5 + 1 + 1) / 3
    assert some.between == pytest.approx(math.sqrt(spread))
    assert some.between_low <= some.between <= some.between_high


def test_seeds_that_differ_by_noise_alone_have_no_spread_of_their_own() -> None:
    found = of(np.array([[0.5, 0.6], [0.6, 0.5]]))
    assert found.between == found.between_low == 0
    assert found.ratio == math.inf


def test_the_estimates_are_right_on_average_and_the_intervals_cover() -> None:
    rng = np.random.default_rng(1)
    found = [of(drawn(rng, 8, 3, between=0.02, within=0.01)) for _ in range(600)]
    assert np.mean([one.sd**2 for one in found]) == pytest.approx(0.01**2, rel=0.05)
    assert np.mean([one.mad for one in found]) == pytest.approx(0.01 * math.sqrt(2 / math.pi), rel=0.03)
    assert np.mean([one.between**2 for one in found]) == pytest.approx(0.02**2, rel=0.1)
    assert np.mean([one.sd_low <= 0.01 <= one.sd_high for one in found]) == pytest.approx(0.95, abs=0.03)
    assert np.mean([one.between_low <= 0.02 <= one.between_high for one in found]) >= 0.92


def test_the_interval_of_the_noise_is_that_of_the_chi_square_distribution() -> None:
    found = of(np.array([[0.5, 0.6], [0.7, 0.7], [0.1, 0.4]]))
    low, high = stats.chi2.ppf([0.975, 0.025], 3)
    assert found.sd_low == pytest.approx(found.sd * math.sqrt(3 / low))
    assert found.sd_high == pytest.approx(found.sd * math.sqrt(3 / high))


@pytest.mark.parametrize(
    ("scores", "seeds", "match"), [([0.5], [], "shape of the seeds"), ([0.5, math.nan], [0, 0], "scores")]
)
def test_bad_input_is_named(scores: list[float], seeds: list[int], match: str) -> None:
    with pytest.raises(BadValue, match=match):
        noise(scores, seeds)
