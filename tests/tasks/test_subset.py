from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.errors import BadValue
from bench_lib.tasks.subset import choose


@given(n=st.integers(0, 60), size=st.integers(0, 60), seed=st.integers(0, 9))
def test_indices_are_distinct_rising_and_within(n: int, size: int, seed: int) -> None:
    chosen = choose(n, size, np.random.default_rng(seed))
    assert len(chosen) == min(n, size)
    assert list(chosen) == sorted(set(chosen))
    assert set(chosen) <= set(range(n))
    assert all(type(index) is int for index in chosen)


@given(small=st.integers(0, 40), large=st.integers(0, 40), seed=st.integers(0, 9))
def test_a_smaller_subset_lies_within_a_larger_one(small: int, large: int, seed: int) -> None:
    small, large = sorted((small, large))
    assert set(choose(30, small, np.random.default_rng(seed))) <= set(choose(30, large, np.random.default_rng(seed)))


@pytest.mark.parametrize("size", [None, 5, 6])
def test_all_in_order_where_all_are_asked_for(size: int | None) -> None:
    assert choose(5, size, np.random.default_rng(0)) == (0, 1, 2, 3, 4)


def test_the_seed_decides() -> None:
    draws = [choose(1000, 50, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_every_index_has_the_same_chance() -> None:
    generator = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([choose(10, 3, generator) for _ in range(4000)]), minlength=10)
    assert np.abs(counts / 4000 - 0.3).max() < 0.03


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(BadValue, match="size of the subset is -1"):
        choose(5, -1, np.random.default_rng(0))
