from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from bench_lib.core.errors import BadValue
from bench_lib.stats.flips import all_signs, sign_flip

SMALL = st.lists(st.integers(-6, 6), min_size=1, max_size=9)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(SMALL)
def test_few_pairs_are_enumerated_as_by_hand(values):
    signs = itertools.product((-1, 1), repeat=len(values))
    sums = [abs(sum(s * v for s, v in zip(pattern, map(abs, values), strict=True))) for pattern in signs]
    by_hand = sum(one >= abs(sum(values)) for one in sums) / len(sums)
    assert sign_flip(values, generator()) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scipy(seed):
    values = generator(seed).normal(0.4, 1, size=11)
    expected = permutation_test((values,), lambda x, axis: x.sum(axis), permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(values, generator()) == pytest.approx(expected.pvalue, abs=1e-12)


def test_random_patterns_come_near_the_enumerated_p():
    values = generator(1).normal(0.5, 1, size=12)
    exact = sign_flip(values, generator(), resamples=2**12)
    assert sign_flip(values, generator(), resamples=2**12 - 2) == pytest.approx(exact, abs=0.02)


def test_equal_seeds_give_equal_bits_over_several_chunks():
    values = generator(2).normal(0.3, 1, size=30)
    first, second = (sign_flip(values, generator(7), resamples=150_000) for _ in range(2))
    assert first == second
    assert sign_flip(values, generator(8), resamples=150_000) != first


@pytest.mark.parametrize(("values", "expected"), [([], 1), ([0, 0], 1), ([3], 1), ([1, 1, 0], 0.5), ([0.1] * 20, 1e-4)])
def test_degenerate_inputs_have_an_answer(values, expected):
    assert sign_flip(values, generator()) == pytest.approx(expected)


def test_sums_that_differ_by_rounding_alone_are_tied():
    # 0.1 + 0.2 against 0.3: of the eight patterns' sums all but the two of one sign are equal to another.
    values = np.array([0.1, 0.2, -0.3])
    assert sign_flip(values, generator()) == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(1e-3, 1e3))
def test_neither_unit_nor_direction_matters(values, factor):
    expected = sign_flip(values, generator())
    assert sign_flip(-np.array(values), generator()) == expected
    scaled = np.array(values) * factor
    if np.abs(scaled).max() > 1e-290:
        assert sign_flip(scaled, generator()) == pytest.approx(expected)


def test_all_signs_are_all_patterns_once():
    found = {tuple(row) for row in all_signs(5)}
    assert found == set(itertools.product((-1.0, 1.0), repeat=5))


@pytest.mark.parametrize(("values", "resamples"), [([np.nan, 1], 999), ([[1, 2]], 999), ([1, 2], 10)])
def test_bad_input_is_refused(values, resamples):
    with pytest.raises(BadValue):
        sign_flip(values, generator(), resamples)
