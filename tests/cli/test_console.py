from __future__ import annotations

import json
import math

from bench_lib.cli import console


def test_columns_are_aligned() -> None:
    assert console.columns(("a", "b"), [("long", "1"), ("x", "100")], text_columns=1) == [
        "a       b",
        "long    1",
        "x     100",
    ]


def test_lines_are_broken_and_hang() -> None:
    lines = console.hanging("  1-4", "at most 2 % " * 20, 8).splitlines()
    assert lines[0].startswith("  1-4   at most")
    assert all(line.startswith(" " * 8) and not line.strip().startswith("%") for line in lines[1:])
    assert max(map(len, lines)) <= console.WIDTH
    assert console.hanging("a long lead", "text", 4) == "a long lead text"


def test_what_is_not_known_is_a_dash_or_null() -> None:
    assert [console.number(math.nan), console.percent(math.nan), console.signed(math.nan), console.times(math.nan)] == [
        "-"
    ] * 4
    assert console.failures(0, 0, math.nan, math.nan) == "-"
    assert console.interval(0.5, math.nan, 2.0) == "0.50"
    assert json.loads(console.machine({"b": (math.nan, math.inf), "a": [1.5]})) == {"a": [1.5], "b": [None, "inf"]}


def test_numbers_are_rounded() -> None:
    assert console.failures(1, 5, 0.036, 0.624) == "1/5 [4, 62]"
    assert console.interval(0.5, 0.25, 1.0) == "0.50 [0.25, 1.00]"
    assert (console.signed(0.0123), console.signed(-0.5), console.times(1.234)) == ("+1.2", "-50.0", "1.23x")
