"""Parts of JSON that repeat are held once, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench_lib.report.html.shared import LEAST, MARK, shared

VALUES = st.recursive(
    st.one_of(st.integers(), st.text(max_size=40)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
)


def whole(value: Any, parts: list[Any]) -> Any:
    if isinstance(value, list):
        return [whole(part, parts) for part in value]
    if isinstance(value, dict):
        return parts[value[MARK]] if MARK in value else {name: whole(part, parts) for name, part in value.items()}
    return value


@given(st.lists(VALUES, max_size=4))
def test_what_is_put_together_again_is_what_it_was(values: list[Any]) -> None:
    twice = values + values
    told, parts = shared(twice)
    assert whole(told, parts) == twice


def test_a_long_part_that_repeats_is_held_once() -> None:
    names = [f"technique {i}" for i in range(LEAST)]
    told, parts = shared([{"sort": names}, {"y": {"order": names}}])
    assert parts == [names]
    assert json.dumps(told) == json.dumps([{"sort": {MARK: 0}}, {"y": {"order": {MARK: 0}}}])


def test_what_stands_once_or_is_short_stays() -> None:
    assert shared([{"a": [1, 2]}, {"b": [1, 2]}]) == ([{"a": [1, 2]}, {"b": [1, 2]}], [])
