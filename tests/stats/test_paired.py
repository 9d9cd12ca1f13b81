from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from bench_lib.core.errors import BadValue
from bench_lib.stats.flips import all_signs
from bench_lib.stats.paired import pitman_morgan, rank_products

LATTICE = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=12)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def covariance(a, b):
    """Of the ranks of sum and difference, times the number of pairs."""
    sums, differences = rankdata(np.round(a + b, 9)), rankdata(np.round(a - b, 9))
    return float(((sums - sums.mean()) * (differences - differences.mean())).sum())


@given(LATTICE, st.randoms(use_true_random=False))
def test_the_products_add_up_to_the_rank_covariance_whichever_pairs_are_swapped(pairs, random):
    a, b = (np.array(sample) / 7 for sample in zip(*pairs, strict=True))
    products = rank_products(a, b)
    for _ in range(5):
        swapped = np.array([random.random() < 0.5 for _ in pairs])
        first, second = np.where(swapped, b, a), np.where(swapped, a, b)
        assert np.where(swapped, -products, products).sum() == pytest.approx(covariance(first, second), abs=1e-9)


def test_tables_are_taken_row_by_row():
    draws = generator(3).normal(size=(2, 4, 9))
    whole = rank_products(*draws)
    rows = [rank_products(a, b) for a, b in zip(*draws, strict=True)]
    assert np.allclose(whole, rows, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_sum_is_spearmans_correlation_but_for_its_scale(seed):
    a, b = generator(seed).normal(size=(2, 15))
    n = 15
    found = rank_products(a, b).sum() / (n * (n**2 - 1) / 12)
    assert found == pytest.approx(spearmanr(a + b, a - b).statistic, abs=1e-9)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_a_wider_sample_is_found_and_equal_samples_are_not(shared):
    draws = generator(5).normal(size=(3, 40))
    a, b = math.sqrt(1 - shared) * draws[:2] + math.sqrt(shared) * draws[2]
    assert pitman_morgan(3 * a, b, generator()) < 0.001
    assert pitman_morgan(a, b, generator()) > 0.05


@pytest.mark.parametrize("shape", ["normal", "skewed", "lattice"])
def test_false_alarms_keep_to_the_level(shape):
    draws = generator(11).normal(size=(400, 2, 16))
    samples = {"normal": draws, "skewed": -np.exp(draws), "lattice": np.round(2 * draws)}[shape]
    found = np.mean([pitman_morgan(a, b, generator(i), 199) <= 0.05 for i, (a, b) in enumerate(samples)])
    assert found < 0.085  # 0.05 and what 400 repetitions and the estimated medians may add


def test_swapping_the_samples_changes_nothing_and_moving_one_changes_no_finding():
    a, b = generator(6).normal(size=(2, 20))
    expected = pitman_morgan(a, b, generator(), 999)
    assert pitman_morgan(b, a, generator(), 999) == expected
    for shift in (-3, 3):
        assert pitman_morgan(a + shift, b, generator(), 999) == pytest.approx(expected, abs=0.2)
        assert pitman_morgan(4 * a + shift, b, generator(), 999) < 0.01


def test_it_is_exact_where_the_samples_are_alike():
    # Every arrangement of one set of pairs has its p: no more than a share p of them may have one as small.
    a, b = -np.exp(generator(2).normal(size=(2, 7)))
    swaps = all_signs(7) > 0
    found = np.array([pitman_morgan(np.where(s, a, b), np.where(s, b, a), generator()) for s in swaps])
    for p in np.unique(found):
        assert np.mean(found <= p) == pytest.approx(p)


def test_degenerate_inputs_have_an_answer():
    assert math.isnan(pitman_morgan([1, 2], [3, 4], generator()))
    assert math.isnan(pitman_morgan([], [], generator()))
    assert pitman_morgan([0.5] * 6, [0.7] * 6, generator()) == 1
    assert pitman_morgan([0.1 + 0.2] * 6, [0.3] * 6, generator()) == 1
    same = generator(0).normal(size=8)
    assert pitman_morgan(same, same, generator()) == 1
    assert pitman_morgan(same, [0.7] * 8, generator()) < 0.05


def test_samples_of_unequal_length_are_refused():
    with pytest.raises(BadValue, match="number of scores to pair is 2; allowed: 3"):
        pitman_morgan([1, 2, 3], [1, 2], generator())
