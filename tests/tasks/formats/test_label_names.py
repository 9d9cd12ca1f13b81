from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks.formats.label_names import are_on_a_scale


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, 2.5, None], True),
        ([1e308, -0.5], True),
        ([1, 2], False),
        ([1.0, 0.0, float("nan")], False),
        ([float("inf"), 10**400], False),
        ([2.5, True], False),
        ([2.5, "3"], False),
        ([2.5, [1]], False),
        ([None], False),
        ([], False),
    ],
)
def test_a_fraction_among_numbers_says_that_they_name_no_labels(values: list[Any], found: bool) -> None:
    assert are_on_a_scale(values) is found


@given(st.lists(st.one_of(st.integers(), st.floats(), st.none(), st.text(), st.booleans())))
def test_it_does_not_depend_on_the_order(values: list[Any]) -> None:
    assert are_on_a_scale(values) is are_on_a_scale(values[::-1])
