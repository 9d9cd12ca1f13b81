"""Nothing is said of a technique but what its verdicts say."""

from __future__ import annotations

from typing import Any

from bench_lib.report.html.statements import Statements, place, statements
from bench_lib.report.values import few

Cell = Any


def said(rows: list[Any], *baselines: Any) -> Statements:
    return statements(rows, {place(row, row["label"]): row for row in baselines})


def test_a_decided_spread_names_its_ratio_and_its_seeds(cell: Cell, base: Cell) -> None:
    more = cell(verdict="more stable", decided_by="spread")
    assert said([more], base()).helps == ("steadier on sst2 (MAD ratio 0.60 [0.40, 0.90], 30 seeds)",)
    less = cell(verdict="less stable", decided_by="spread", mad_ratio=2.0)
    assert said([less], base()).hurts == ("less steady on sst2 (MAD ratio 2.00 [0.40, 0.90], 30 seeds)",)
    assert said([less], base()).helps == ()


def test_decided_failures_name_both_arms(cell: Cell, base: Cell) -> None:
    less = cell(verdict="less stable", decided_by="failures", failed=15)
    assert said([less], base(failed=1)).hurts == ("fails more often on sst2 (15 of 30 runs fail, 1 of 30 of adamw's)",)
    more = cell(verdict="more stable", decided_by="failures")
    assert said([more], base(failed=9)).helps == ("fails less often on sst2 (0 of 30 runs fail, 9 of 30 of adamw's)",)


def test_location_stands_beside_stability(cell: Cell, base: Cell) -> None:
    better = cell(verdict="equivalent", verdict_location="better")
    assert said([better], base()).helps == ("scores higher on sst2 (mean +1.00 points, P(higher) 0.60)",)
    assert said([better], base()).same == ("as stable on sst2, within the margins of a difference that matters",)
    assert "scores lower" in said([cell(verdict_location="worse")], base()).hurts[0]


def test_a_difference_of_numbers_alone_says_nothing(cell: Cell, base: Cell) -> None:
    told = said([cell(mad_ratio=0.1, mean_difference=0.2, failed=20)], base())
    assert (told.helps, told.hurts, told.same) == ((), (), ())
    assert told.undecided == ("not decided on sst2, with 20 converged seeds or more",)


def test_too_few_seeds_are_told_apart_from_an_open_question(cell: Cell, few: Cell, base: Cell) -> None:
    told = said([few(task="rte"), few(task="cola"), cell()], base())
    assert told.undecided[0] == "not decided on 2 of 3 tasks: fewer than 20 converged seeds on rte and cola"
    assert told.undecided[1].startswith("not decided on sst2")


def test_cost_is_the_span_over_the_tasks(cell: Cell, base: Cell) -> None:
    both = [cell(cost_ratio=1.25), cell(task="rte", cost_ratio=2.0), cell(task="cola", cost_ratio=float("nan"))]
    assert said(both, base()).cost == ("trains 1.25 to 2.00 times as long as the baseline",)
    assert said([cell()], base()).cost == ("trains 1.25 times as long as the baseline",)


def test_what_is_declined_is_said_with_its_reason(cell: Cell, base: Cell) -> None:
    no = cell(task="squad", attempted=3, unsupported=3, judged=0, converged=0, reason="spans are not supported")
    assert said([cell(), no], base()).cost[-1] == "declines squad: spans are not supported"


def test_the_baseline_and_what_has_none_are_not_compared(cell: Cell, base: Cell) -> None:
    assert said([base()]).undecided == ("the baseline itself: all others are compared with it",)
    assert said([cell(against="")]).undecided == ("not compared: the baseline has no runs of the same setting",)


def test_few_counts_what_converged(cell: Cell) -> None:
    assert few(cell(converged=19))
    assert not few(cell(converged=20))
    assert not few(cell(converged=0, attempted=3, unsupported=3))
