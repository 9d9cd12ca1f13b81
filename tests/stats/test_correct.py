from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench_lib.core.errors import BadValue
from bench_lib.stats.correct import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=30)
WITH_GAPS = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=30)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04; the last is raised to the one before it.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06], abs=1e-12)


@given(p_values=P_VALUES.filter(bool))
@settings(max_examples=15)  # statsmodels collects garbage at each call
def test_it_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


@given(p_values=WITH_GAPS)
def test_what_was_not_tested_stays_so_and_does_not_count(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    tested = [not math.isnan(p) for p in p_values]
    assert adjusted.shape == (len(p_values),)
    assert np.isnan(adjusted).tolist() == [not t for t in tested]
    alone = holm([p for p in p_values if not math.isnan(p)])
    assert np.array_equal(adjusted[np.array(tested, dtype=bool)], alone)


@given(p_values=P_VALUES)
def test_adjusted_values_are_chances_no_smaller_and_in_the_same_order(p_values: list[float]) -> None:
    raw, adjusted = np.array(p_values), holm(p_values)
    assert np.all(adjusted >= raw - 1e-15)
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0)


@given(P_VALUES)
def test_holm_is_never_harder_than_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert np.all(adjusted <= np.minimum(1, np.array(p_values) * len(p_values)) + 1e-12)


def test_small_families() -> None:
    assert holm([]).tolist() == []
    assert holm([0.04]).tolist() == [0.04]
    assert np.isnan(holm([math.nan, math.nan])).all()
    assert holm([0.0, 1.0]).tolist() == [0.0, 1.0]


def test_the_input_is_left_alone() -> None:
    raw = np.array([0.01, math.nan, 0.04])
    holm(raw)
    assert np.array_equal(raw, [0.01, math.nan, 0.04], equal_nan=True)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.inf])
def test_a_value_that_is_no_chance_is_named(bad: float) -> None:
    with pytest.raises(BadValue, match=r"\[1\].*0 to 1, or nan"):
        holm([0.5, bad])


@pytest.mark.parametrize("bad", [[[0.1, 0.2]], 0.1, ["small"]])
def test_p_values_are_a_row_of_numbers(bad: object) -> None:
    with pytest.raises(BadValue, match="p-values"):
        holm(bad)
