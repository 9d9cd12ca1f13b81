"""Values say what is known, and what cannot be ranked says so."""

from __future__ import annotations

import math
from typing import Any

from bench_lib.report import values
from bench_lib.report.formatting import DASH
from bench_lib.report.glossary import FEW
from bench_lib.report.values import Value, rankable, verdict

Cell = Any


def test_values_stand_with_their_intervals(cell: Cell) -> None:
    row = cell(failed=3, failure_rate=0.1)
    assert values.failures(row) == Value("3/30", "[0.0, 11.0]", order="0.1")
    assert str(values.percent("mad", "mad_low", "mad_high")(row)) == "0.50 [0.40, 0.60]"
    assert str(values.ratio("mad_ratio", "mad_ratio_low", "mad_ratio_high")(row)) == "0.60 [0.40, 0.90]"
    assert str(values.difference("mean_difference")(row)) == "+1.00"
    assert str(values.number("peak_memory_mib", 0)(row)) == "1,234"
    assert verdict(row) == Value("undecided", kind="v undecided")
    assert rankable(row)


def test_few_seeds_say_so_in_place_of_a_rank(few: Cell, base: Cell) -> None:
    assert verdict(few()) == Value("5 seeds: too few to rank", kind="v few")
    assert not rankable(few())
    assert values.seeds(few()) == Value("5", mark=FEW, kind="runs")
    own = base(converged=5, judged=5, attempted=5)
    assert verdict(own) == Value("baseline, 5 seeds: too few to rank", kind="v baseline")


def test_a_verdict_that_failures_decided_stands_with_few_survivors(cell: Cell) -> None:
    row = cell(verdict="less stable", decided_by="failures", failed=15, converged=15)
    assert (verdict(row), rankable(row)) == (Value("less stable", kind="v less"), True)


def test_scores_that_differ_are_said_beside_the_verdict(cell: Cell) -> None:
    assert verdict(cell(verdict="equivalent", verdict_location="worse")).text == "equivalent, scores lower"
    assert verdict(cell(verdict_location="better")).text == "undecided, scores higher"


def test_what_was_declined_or_never_judged_has_dashes(cell: Cell) -> None:
    nan = dict.fromkeys(("failure_rate", "mad", "mad_low", "mad_high", "cost_ratio"), math.nan)
    row = cell(attempted=3, unsupported=3, judged=0, converged=0, **nan)
    assert (verdict(row).text, values.seeds(row).text, rankable(row)) == ("declines", "0 of 3", False)
    shown = (values.failures(row), values.percent("mad", "mad_low", "mad_high")(row), values.number("cost_ratio")(row))
    assert {str(value) for value in shown} == {DASH}


def test_the_baseline_is_not_compared_with_itself(base: Cell) -> None:
    for shown in (values.ratio("mad_ratio"), values.difference("mean_difference"), values.p_value("p_spread")):
        assert shown(base()).text == DASH


def test_without_the_baseline_nothing_is_compared(cell: Cell) -> None:
    assert verdict(cell(against="")).text == "not compared"


def test_a_ratio_may_be_infinite_and_a_p_value_is_marked(cell: Cell, few: Cell) -> None:
    assert values.ratio("mad_ratio")(cell(mad_ratio=math.inf)).text == "\u221e"
    assert str(values.p_value("p", spread=True)(few(p=0.5, against_converged=30))) == f"0.500{FEW}"
    assert str(values.p_value("p", spread=True)(cell(p=0.0, against_converged=30))) == "<0.001"
