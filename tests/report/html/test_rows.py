"""Rows say what is known, and what is not ranked says so."""

from __future__ import annotations

import math
from typing import Any

from bench_lib.report.formatting import DASH
from bench_lib.report.html.rows import Value, cell_row, over_row

Cell = Any


def test_values_stand_with_their_intervals(cell: Cell) -> None:
    row = cell_row(cell(failed=3, failure_rate=0.1), 7, "regularisation")
    assert (row.number, row.link, row.ranked) == (7, "technique=mixout", True)
    assert row.failed == Value("3/30", "0.1", "[0, 11]")
    assert row.mad == Value("0.50", fine="[0.40, 0.60]")
    assert row.mean == Value("80.00", fine="[79.00, 81.00]")
    assert row.ratio == Value("0.60", fine="[0.40, 0.90]")
    assert (row.difference.text, row.time.text, row.memory.text) == ("+1.00", "1.25", "1,234")
    assert (row.verdict, row.kind) == ("undecided", "undecided")


def test_few_seeds_say_so_in_place_of_a_rank(few: Cell, base: Cell) -> None:
    row = cell_row(few(), 0, "")
    assert (row.verdict, row.kind, row.ranked) == ("5 seeds: too few to rank", "few", False)
    assert row.ratio.text == DASH
    own = cell_row(base(converged=5, judged=5, attempted=5), 0, "")
    assert (own.verdict, own.kind) == ("baseline, 5 seeds: too few to rank", "baseline")


def test_a_verdict_that_failures_decided_stands_with_few_survivors(cell: Cell) -> None:
    row = cell_row(cell(verdict="less stable", decided_by="failures", failed=15, converged=15), 0, "")
    assert (row.verdict, row.kind, row.ranked) == ("less stable", "less", True)


def test_scores_that_differ_are_said_beside_the_verdict(cell: Cell) -> None:
    assert cell_row(cell(verdict="equivalent", verdict_location="worse"), 0, "").verdict == "equivalent, scores lower"
    assert cell_row(cell(verdict_location="better"), 0, "").verdict == "undecided, scores higher"


def test_what_was_declined_or_never_judged_has_dashes(cell: Cell) -> None:
    nan = dict.fromkeys(("failure_rate", "mad", "mad_low", "mad_high", "mean", "minimum", "cost_ratio"), math.nan)
    row = cell_row(cell(attempted=3, unsupported=3, judged=0, converged=0, **nan), 0, "")
    assert (row.verdict, row.seeds.text, row.ranked) == ("declines", "0 of 3", False)
    assert {row.failed.text, row.mad.text, row.worst.text, row.time.text} == {DASH}


def test_without_the_baseline_nothing_is_compared(cell: Cell) -> None:
    assert cell_row(cell(against=""), 0, "").verdict == "not compared"


def test_a_technique_over_tasks_counts_its_verdicts(cell: Cell) -> None:
    cells = [
        cell(verdict="more stable", cost_ratio=1.0),
        cell(cost_ratio=4.0),
        cell(verdict="equivalent", cost_ratio=2.0),
    ]
    row = over_row({"technique": "mixout", "tasks": 3, "failure_rate": 0.05, "mad_over_tasks": 0.1}, 2.5, cells, "f")
    assert (row.more, row.less, row.undecided, row.tasks) == (1, 0, 1, 3)
    assert (row.failed.text, row.rank.text, row.time.text, row.mad.text) == ("5.0", "2.5", "2.00", "10.00")
