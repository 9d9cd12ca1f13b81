"""Bounded fields refuse what lies outside, in the words of the interval or of the field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import pytest

from bench_lib.core.errors import BadValue, BenchError
from bench_lib.techniques.interface.bounds import bounded, described
from bench_lib.techniques.interface.declared import check_made, check_technique
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Limited(Technique, name="limited", family="baselines", paper="none", identity=None, no_identity="a test"):
    """Does nothing."""

    share: float = bounded(0.5, "[0, 1)")
    size: int | None = bounded(None, "[2, inf] or None", "2 or more, or None for all")
    free: float = 3.0


@dataclass(frozen=True)
class Careless(Limited, name="careless"):
    """Its own check comes in place of its parent's."""

    def __post_init__(self) -> None:
        pass


WORDS = {
    "[0, 1]": "0 to 1",
    "[0, 1)": "0 up to, not including, 1",
    "(0, 1]": "above 0, at most 1",
    "(0, 1)": "above 0, below 1",
    "[1, inf]": "1 or more",
    "[0, inf)": "0 or more, finite",
    "(0, inf]": "above 0",
    "(0, inf)": "above 0, finite",
    "[-1.5, 1000] or None": "-1.5 to 1000; None to keep",
}
INSIDE = {
    "[0, 1]": (0, 0.0, 1, 1.0, 0.5),
    "[0, 1)": (0, 0.999),
    "(0, 1]": (1e-9, 1),
    "(0, 1)": (1e-9, 0.999),
    "[1, inf]": (1, math.inf),
    "[0, inf)": (0, 1e300),
    "(0, inf]": (1e-9, math.inf),
    "(0, inf)": (1e-9, 1e300),
    "[-1.5, 1000] or None": (-1.5, 1000, None),
}
OUTSIDE = {
    "[0, 1]": (-1e-9, 1.001, math.inf, math.nan),
    "[0, 1)": (-1, 1, 1.0),
    "(0, 1]": (0, 0.0, 1.001),
    "(0, 1)": (0, 1),
    "[1, inf]": (0, -math.inf, math.nan),
    "[0, inf)": (-1, math.inf, math.nan),
    "(0, inf]": (0, math.nan),
    "(0, inf)": (0, math.inf),
    "[-1.5, 1000] or None": (-1.6, 1001, math.nan),
}


def with_bounds(interval: str) -> Callable[..., Technique]:
    @dataclass(frozen=True)
    class Mine(Technique, name="mine"):
        value: float | None = bounded(0.5, interval)

    return Mine


@pytest.mark.parametrize("interval", WORDS)
def test_an_interval_takes_what_lies_in_it_and_names_itself_for_the_rest(interval: str) -> None:
    technique = with_bounds(interval)
    assert described(interval) == WORDS[interval]
    for value in INSIDE[interval]:
        technique(value)
    for value in OUTSIDE[interval]:
        with pytest.raises(BadValue) as caught:
            technique(value)
        assert str(caught.value) == f"mine:value is {value}; allowed: {WORDS[interval]}"


@pytest.mark.parametrize("interval", ["", "0, 1", "[0 1]", "[0,1]", "[0, 1", "[0, 1]or None"])
def test_what_is_no_interval_is_refused_where_it_is_declared(interval: str) -> None:
    with pytest.raises(BadValue, match="interval of a bounded field"):
        bounded(1.0, interval)


def test_a_bounded_field_is_a_field_with_its_default() -> None:
    check_technique(Limited, "limited")
    assert [(field.name, field.default) for field in fields(Limited)] == [("share", 0.5), ("size", None), ("free", 3.0)]
    assert Limited(free=-1.0).spec().label == "limited:free=-1.0"


def test_the_words_of_the_field_are_those_of_the_message() -> None:
    with pytest.raises(BadValue, match="limited:size is 1; allowed: 2 or more, or None for all"):
        Limited(size=1)


def test_bounds_hold_where_a_child_forgets_them() -> None:
    careless = Careless(share=1.0)
    with pytest.raises(BenchError, match=r"careless:share is 1\.0; allowed: 0 up to, not including, 1"):
        check_made(careless)
