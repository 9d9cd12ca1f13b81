from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.stats import times

Seconds = Mapping[str, Sequence[float]]
TIMES = st.lists(st.floats(0.1, 1e4), min_size=1, max_size=5)


def time_ratio(ours: Seconds, theirs: Seconds) -> float:
    """The ratio of runs that are written by machine."""
    sides = [[(machine, one) for machine, own in side.items() for one in own] for side in (ours, theirs)]
    return times.time_ratio(*sides)


def test_the_shortest_times_are_compared() -> None:
    assert time_ratio({"a": [30.0, 99.0]}, {"a": [60.0, 20.0]}) == 1.5


def test_only_times_of_one_machine_are_compared() -> None:
    ours = {"a": [10.0], "b": [90.0, 95.0, 99.0], "c": [1.0] * 9}
    assert time_ratio(ours, {"a": [10.0] * 5, "b": [30.0, 40.0]}) == 3.0, "b has two runs of both, a one"
    assert time_ratio(ours, {"a": [5.0], "b": [30.0]}) == 2.0, "of machines with as many runs the first by name"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({}, {}), ({"a": [1.0]}, {"b": [1.0]}), ({"a": []}, {"a": [1.0]}), ({"a": [1.0]}, {"a": [0.0, math.nan]})],
)
def test_without_times_of_both_on_one_machine_nothing_is_known(
    ours: dict[str, list[float]], theirs: dict[str, list[float]]
) -> None:
    assert math.isnan(time_ratio(ours, theirs))
    assert math.isnan(time_ratio(theirs, ours))


@given(st.dictionaries(st.sampled_from("ab"), TIMES, min_size=1), st.dictionaries(st.sampled_from("ab"), TIMES))
def test_the_ratio_is_turned_round_with_its_sides(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> None:
    one, other = time_ratio(ours, theirs), time_ratio(theirs, ours)
    assert one * other == pytest.approx(1.0) or (math.isnan(one) and math.isnan(other))
    assert math.isnan(one) == (not ours.keys() & theirs.keys())


@given(TIMES, TIMES, st.floats(1.0, 100.0))
def test_other_work_beside_some_runs_changes_nothing(ours: list[float], theirs: list[float], slower: float) -> None:
    busy = [*ours, *(slower * seconds for seconds in ours)]
    assert time_ratio({"a": busy}, {"a": theirs}) == time_ratio({"a": ours}, {"a": theirs})
