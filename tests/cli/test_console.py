from __future__ import annotations

import dataclasses
import json
import math

from bench_lib.cli import console
from bench_lib.report import formatting as md
from bench_lib.report.column import View
from bench_lib.report.columns import shown_in


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
    assert console.columns(("a",), [(md.number(math.nan),)], text_columns=1)[1] == "-"
    assert console.interval(0.5, math.nan, 2.0) == "0.50"
    assert console.interval(0.5, 0.25, 1.0) == "0.50 [0.25, 1.00]"
    assert json.loads(console.machine({"b": (math.nan, math.inf), "a": [1.5]})) == {"a": [1.5], "b": [None, "inf"]}


def test_the_signs_of_the_report_are_typed() -> None:
    assert console.columns(("\u0394 mean",), [("\u221e",)], text_columns=1) == ["diff. mean", "inf"]


def test_a_legend_has_the_first_sentence_of_each_meaning() -> None:
    (worst,) = [column for column in shown_in(View.SIDES) if column.name == "minimum"]
    assert console.legend([dataclasses.replace(worst, meaning="The lowest. Not the mean.")]) == "worst: The lowest."
