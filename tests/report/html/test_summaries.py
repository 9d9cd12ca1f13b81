"""The answer in half a minute names what is shown, and says what is not."""

from __future__ import annotations

from typing import Any

from bench_lib.report.analysis.evidence import Limits
from bench_lib.report.analysis.recommend import TaskQuery, recommendation
from bench_lib.report.html.statements import place, statements
from bench_lib.report.html.summaries import BEST, GroupSummary, folded, group_summary, heading

Cell = Any
GROUP = ("real", "minilm", "desk")


def told(rows: list[Any], baseline: Any) -> GroupSummary:
    """The summary of cells and baselines, of which there is one for each task."""
    tasks = sorted({row["task"] for row in rows} | {baseline["task"]})
    bases = [{**baseline, "task": task} for task in tasks]
    partners = {place(row, "adamw"): row for row in bases}
    cells: dict[str, list[Any]] = {"adamw": bases}
    for row in rows:
        cells.setdefault(row["technique"], []).append(row)
    said = {name: statements(own, partners) for name, own in cells.items()}
    judged = [row for own in cells.values() for row in own if row["judged"]]
    known = [{**row, "stack": row["technique"]} for row in judged]
    asked = TaskQuery("all tasks", every=True)
    return group_summary(GROUP, cells, said, recommendation(asked, GROUP, known, Limits(), "adamw"), "adamw")


def test_the_best_are_those_more_stable_on_most_tasks(cell: Cell, base: Cell) -> None:
    more = {"verdict": "more stable", "decided_by": "spread"}
    rows = [cell(technique="a", **more), cell(technique="b", **more), cell(technique="b", task="rte", **more)]
    rows.append(cell(technique="a", task="rte"))
    assert [one.name for one in told(rows, base()).best] == ["b", "a"]
    assert (
        told(rows, base()).best[1].text.startswith("steadier on sst2 (MAD ratio 0.60 [0.40, 0.90], 30 seeds); trains")
    )


def test_what_is_worse_anywhere_is_not_among_the_best(cell: Cell, base: Cell) -> None:
    more = {"verdict": "more stable", "decided_by": "spread"}
    rows = [cell(**more), cell(task="rte", verdict_location="worse")]
    result = told(rows, base())
    assert result.best == ()
    assert [one.name for one in result.worse] == ["mixout"]
    assert "No technique is shown to be more stable than adamw." in result.lines


def test_more_than_a_few_are_named_in_a_line(cell: Cell, base: Cell) -> None:
    rows = [
        cell(technique=f"t{i}", verdict="more stable", decided_by="spread", mad_ratio=i / 9) for i in range(BEST + 1)
    ]
    result = told(rows, base())
    assert len(result.best) == BEST
    assert f"1 more technique are as well: t{BEST}." in result.lines


def test_too_few_seeds_are_unproven(few: Cell, cell: Cell, base: Cell) -> None:
    assert (
        "Unproven: all 1 comparison rest on fewer than 20 converged seeds and are not ranked."
        in told([few()], base()).lines
    )
    lines = told([few(), cell(task="rte"), few(technique="b")], base()).lines
    assert any("2 of 3 comparisons" in line and "1 technique of 2 have no others" in line for line in lines)
    assert "1 of 3 comparisons have the seeds, and are still undecided." in lines


def test_what_was_declined_is_set_against_nothing(cell: Cell, few: Cell, base: Cell) -> None:
    declined = {"unsupported": 5, "judged": 0, "converged": 0, "attempted": 5, "verdict": ""}
    lines = told([few(), cell(technique="b", **declined), cell(task="rte", **declined)], base()).lines
    assert "Unproven: all 1 comparison rest on fewer than 20 converged seeds and are not ranked." in lines
    assert not any("undecided" in line for line in lines)


def test_the_baseline_is_said_to_fail_or_not(cell: Cell, base: Cell) -> None:
    assert told([cell()], base(failed=3)).lines[0] == "adamw itself fails in 3 of 30 runs, on sst2."


def test_without_a_contrast_nothing_is_compared(base: Cell, cell: Cell) -> None:
    assert told([], base()).lines[-1] == "Nothing is compared: adamw was not run here, or nothing else was."


def test_a_heading_is_one_line() -> None:
    assert heading(("real", "a\nb", "desk")) == "real data, a b, profile desk"


def answered(*profiles: str, model: str = "minilm") -> list[GroupSummary]:
    return [GroupSummary(("real", model, profile), (), (), ()) for profile in profiles]


def test_profiles_with_settings_come_after_those_without_in_the_order_of_their_numbers() -> None:
    axes = ["desk:per_class=128", "desk:per_class=8", "desk:label_noise=0.2", "desk:label_noise=1e-3"]
    first, rest = folded([*answered(*axes, "desk", "desk-stress"), *answered("desk:per_class=2", model="bert")])
    assert [one.group[-1] for one in first] == ["desk", "desk-stress"]
    assert [one.group[1:] for one in rest] == [
        ("bert", "desk:per_class=2"),
        ("minilm", "desk:label_noise=1e-3"),
        ("minilm", "desk:label_noise=0.2"),
        ("minilm", "desk:per_class=8"),
        ("minilm", "desk:per_class=128"),
    ]


def test_profiles_with_settings_alone_are_not_folded() -> None:
    first, rest = folded(answered("desk:per_class=None", "desk:per_class=32"))
    assert [one.group[-1] for one in first] == ["desk:per_class=32", "desk:per_class=None"]
    assert rest == []


def test_what_was_not_judged_on_all_tasks_is_named_and_not_ranked(cell: Cell, base: Cell) -> None:
    more = {"verdict": "more stable", "decided_by": "spread"}
    rows = [cell(technique="a", **more), cell(technique="a", task="rte"), cell(technique="b", **more, mad_ratio=0.1)]
    result = told(rows, base())
    assert [one.name for one in result.best] == ["a"]
    assert "More stable on some tasks, and not judged on all: b." in result.lines
