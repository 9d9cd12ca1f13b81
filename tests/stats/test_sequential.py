from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bench_lib.core.errors import BadValue
from bench_lib.stats.sequential import nominal_levels, spent_in_stages


def test_one_look_spends_all_of_it():
    assert nominal_levels([30], 0.05) == pytest.approx((0.05,), abs=1e-9)


def test_the_second_level_is_that_of_a_bivariate_normal():
    first, second = nominal_levels([15, 30], 0.05, power=1)
    assert first == pytest.approx(0.025, abs=1e-9)
    bounds = -norm.ppf([first / 2, second / 2])
    joint = multivariate_normal(cov=[[1, 0.5**0.5], [0.5**0.5, 1]])
    stay = joint.cdf(bounds, lower_limit=-bounds)
    assert 1 - stay == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_paths_of_no_effect_cross_as_often_as_alpha_says(power):
    looks = list(range(10, 31, 2))
    levels = nominal_levels(looks, 0.05, power)
    paths = np.random.default_rng(0).normal(size=(100_000, 30)).cumsum(axis=1)[:, np.array(looks) - 1]
    crossed = 2 * norm.sf(np.abs(paths) / np.sqrt(looks)) <= levels
    assert crossed.any(axis=1).mean() == pytest.approx(0.05, abs=0.0025)
    for k, look in enumerate(looks):
        assert crossed[:, : k + 1].any(axis=1).mean() == pytest.approx(0.05 * (look / 30) ** power, abs=0.0025)


def test_more_looks_or_more_power_leave_less_for_each():
    assert nominal_levels([10, 30], 0.05)[-1] > nominal_levels([10, 15, 20, 25, 30], 0.05)[-1]
    assert nominal_levels([10, 30], 0.05, 3)[0] < nominal_levels([10, 30], 0.05, 1)[0]


@pytest.mark.parametrize(
    ("looks", "alpha", "power"), [([], 0.05, 2), ([10, 10], 0.05, 2), ([0, 5], 0.05, 2), ([5], 0, 2), ([5], 0.05, 0)]
)
def test_bad_input_is_refused(looks, alpha, power):
    with pytest.raises(BadValue):
        nominal_levels(looks, alpha, power)


def test_a_stage_spends_all_but_a_reserve_and_the_next_half_of_it():
    shares = spent_in_stages([10, 20, 30, 40, 60, 120], 1, (30, 60, 120))
    assert shares == pytest.approx((0.3, 0.6, 0.9, 0.9 + 0.05 / 3, 0.95, 0.975))
    assert spent_in_stages([15, 30], 2, (30,)) == pytest.approx((0.225, 0.9))


def test_the_looks_taken_do_not_depend_on_the_stages_after_them():
    looks = list(range(10, 31, 2))
    first = nominal_levels(looks, 0.05, 2.5, (30,))
    again = nominal_levels([*looks, 40, 50, 60], 0.05, 2.5, (30, 60))
    assert again[: len(looks)] == pytest.approx(first, rel=1e-6)
    assert first[-1] < nominal_levels(looks, 0.05, 2.5)[-1]
    cut = nominal_levels(looks[:4], 0.05, 2.5, (30,))
    assert cut == pytest.approx(first[:4], rel=1e-6)


def test_paths_that_are_continued_cross_no_more_often_than_alpha():
    looks = [*range(10, 31, 2), *range(32, 61, 2)]
    levels = nominal_levels(looks, 0.05, 2.5, (30, 60))
    paths = np.random.default_rng(0).normal(size=(100_000, 60)).cumsum(axis=1)[:, np.array(looks) - 1]
    crossed = 2 * norm.sf(np.abs(paths) / np.sqrt(looks)) <= levels
    assert crossed.any(axis=1).mean() == pytest.approx(0.05 * 0.95, abs=0.0025)
    assert crossed[:, :11].any(axis=1).mean() == pytest.approx(0.05 * 0.9, abs=0.0025)


@pytest.mark.parametrize("stages", [(20,), (40, 30), (30, 30)])
def test_bad_stages_are_refused(stages):
    with pytest.raises(BadValue, match="stages"):
        nominal_levels([10, 30], 0.05, 2, stages)
