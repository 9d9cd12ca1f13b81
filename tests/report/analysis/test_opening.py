from __future__ import annotations

import dataclasses
import math
from typing import Any

import pandas as pd
import pytest

from bench_lib.report import formatting as md
from bench_lib.report.analysis.contrast_rows import DECIDED
from bench_lib.report.analysis.declared import DeclaredPlan, PartProgress
from bench_lib.report.analysis.opening import MOST, Opening, answered, openings, progress, waiting
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.sequential import FamilyOutcome
from bench_lib.report.cells import CELL_ID


@pytest.fixture
def opened(summary: Summary) -> Any:
    """The openings of a report with some cells."""
    return lambda *rows: openings(dataclasses.replace(summary, cells=pd.DataFrame(rows)))


def test_three_sentences_say_what_is_decided_proven_and_open(opened: Any, cell: Any, base: Any) -> None:
    (one,) = opened(
        base(),
        cell(verdict="more stable", decided_by="spread", missing=0.0),
        cell(technique="fgm", verdict="less stable", decided_by="failures", missing=0.0, basis="looks", shared=14),
        cell(technique="sam", verdict="equivalent", verdict_location="same", missing=0.0),
        cell(technique="smart", verdict_location="worse", missing=0.0),
        cell(technique="lora", missing=12.0),
        cell(technique="bitfit", missing=40.0, verdict_location="better"),
    )
    counted, proven, left = one.sentences
    assert counted == (
        "4 of 6 contrasts with adamw are decided, on 14 to 30 seeds each, "
        "1 of them in looks that stop when the verdict is sure."
    )
    assert proven == (
        "Proven against adamw: more stable: mixout (sst2); less stable: fgm (sst2); equivalent in stability: sam "
        "(sst2); better in scores: bitfit (sst2); worse in scores: smart (sst2)."
    )
    assert left == "2 are open; by estimate 12 to 40 seeds more each would decide, 92 runs in all."
    assert [row[0] for row in one.decided.rows] == ["mixout", "fgm", "smart", "sam"]
    assert [row[0] for row in one.open.rows] == ["lora", "bitfit"]
    assert [row[-1] for row in one.open.rows] == ["12 more", "40 more"]


def test_a_sentence_names_the_profile_that_is_not_the_usual_one(opened: Any, cell: Any, base: Any) -> None:
    usual = [cell(technique=name, verdict="equivalent", missing=0.0) for name in ("ema", "swa", "lawa", "sam", "fgm")]
    stress = {"profile": "desk-stress", "verdict": "more stable", "missing": 0.0}
    harder = [cell(technique=name, **stress) for name in ("radam", "lion")]
    more = cell(technique="ema", task="rte", verdict="equivalent", missing=0.0)
    (one,) = opened(base(), base(profile="desk-stress"), base(task="rte"), *usual, *harder, more)
    assert one.sentences[1] == (
        "Proven against adamw: more stable: lion and radam (sst2 under desk-stress); "
        "equivalent in stability: ema (rte, sst2), fgm, lawa and sam (sst2) and 1 more."
    )


def test_nothing_decided_is_said_plainly(opened: Any, few: Any, base: Any) -> None:
    (one,) = opened(base(), few(verdict="underpowered", basis="", missing=15.0), few(technique="sam", missing=math.nan))
    assert one.sentences == (
        "0 of 2 contrasts with adamw are decided.",
        "Nothing is proven to be more or less stable than adamw, or to score better or worse.",
        "2 are open; by estimate 1 of them with at least 15 seeds more each would decide, 15 runs in all.",
    )
    assert not one.decided.rows
    assert [row[-1] for row in one.open.rows] == ["at least 15 more", "unknown"]


def test_all_decided_leaves_none_open(opened: Any, cell: Any, base: Any) -> None:
    (one,) = opened(base(), cell(verdict="more stable", missing=0.0))
    assert one.sentences[2] == "None is open."


def test_what_is_refuted_names_the_claim_and_its_paper(opened: Any, cell: Any, base: Any) -> None:
    (one,) = opened(base(), cell(verdict="equivalent", decided_by="equivalence", missing=0.0))
    ((*_, said),) = one.refuted.rows
    assert "arXiv:1909.11299" in said


def test_real_and_embedded_data_have_openings_of_their_own(opened: Any, cell: Any, base: Any) -> None:
    made = {"data": "embedded"}
    found = opened(base(), cell(), base(**made), cell(**made))
    assert [one.data for one in found] == ["real", "embedded"]
    assert "on data that the suite generates itself" in found[1].sentences[0]


def test_external_runs_are_not_said_to_be_of_generated_data(opened: Any, cell: Any, base: Any) -> None:
    external = {"data": "external"}
    (one,) = opened(base(**external), cell(**external))
    assert "with adamw among external runs" in one.sentences[0]


def test_models_and_profiles_are_columns_where_there_are_several(opened: Any, cell: Any, base: Any) -> None:
    done = {"verdict": "more stable", "missing": 0.0}
    (one,) = opened(base(), cell(**done), base(model="roberta"), cell(model="roberta", **done))
    assert one.decided.head == [*DECIDED[:2], "model", *DECIDED[2:]]
    assert {row[2] for row in one.decided.rows} == {"minilm", "roberta"}


def test_rows_beyond_the_most_are_counted(opened: Any, cell: Any, base: Any) -> None:
    (one,) = opened(base(), *(cell(technique=f"t{number:02d}") for number in range(MOST + 3)))
    assert len(one.open.rows) == MOST
    assert [*one.left_out] == ["3 more open contrasts are in contrasts.csv."]


def test_without_contrasts_there_is_no_opening(opened: Any, base: Any) -> None:
    assert opened(base()) == []


def test_what_a_report_says_of_a_plan(summary: Summary) -> None:
    parts = [PartProgress("first", 10, {"converged": 7, "crashed": 1}), PartProgress("which", 1200, {})]
    plan = DeclaredPlan("Many runs", parts, PartProgress("in all", 1210, {"converged": 8}), ["tuned"], [])
    families = (FamilyOutcome("which", ["adamw"], 28, 3, {}), FamilyOutcome("", ["adamw"], 2, 2, {}))
    table = progress(dataclasses.replace(summary, plan=plan, families=families))
    assert table is not None
    assert table.title == "The plan: Many runs"
    assert [*map(list, table.rows)] == [
        ["first", "10", "8", "2", "1 crashed", md.DASH],
        ["which", "1,200", "0", "1,200", md.DASH, "3 of 28"],
        ["in all", "1,210", "8", "1,202", md.DASH, md.DASH],
    ]
    assert waiting(plan) == '"tuned" waits for a tuning.'
    assert progress(summary) is None
    assert waiting(None) == ""


def test_with_a_plan_the_answer_is_of_what_it_declares(summary: Summary, cell: Any, base: Any) -> None:
    cells = pd.DataFrame(
        [
            base(),
            cell(verdict="more stable", missing=0.0, basis="looks", shared=14),
            cell(technique="sam", missing=12.0, basis="looks"),
            cell(technique="lora", verdict="less stable", missing=0.0),
            cell(technique="fgm", missing=30.0),
        ]
    )
    ids = [tuple(row) for row in cells[list(CELL_ID)].astype(str).to_numpy()]
    looked = {(ids[1], ids[0]): (), (ids[2], ids[0]): ()}
    plan = DeclaredPlan("Many runs", [], PartProgress("in all", 9, {}), [], [])

    def of(*families: FamilyOutcome) -> Summary:
        return dataclasses.replace(summary, cells=cells, plan=plan, families=families)

    planned = of(FamilyOutcome("first", ["adamw"], 5, 1, looked), FamilyOutcome("second", ["adamw[tuned]"], 2, 0, {}))
    (one,) = openings(planned)
    assert one.sentences[0].startswith(
        "1 of 7 contrasts with adamw or adamw[tuned] that the plan declares is decided, on 14 seeds"
    )
    assert one.sentences[1].startswith("Proven against adamw: "), "nothing is decided against the other baseline"
    assert "lora" not in one.sentences[1]
    assert one.sentences[2].startswith("1 is open; ")
    assert one.sentences[2].endswith(" 5 more had no look yet.")
    assert ([row[0] for row in one.decided.rows], [row[0] for row in one.open.rows]) == (["mixout"], ["sam"])
    assert [*one.left_out] == ["2 contrasts that the plan does not declare are in contrasts.csv."]
    assert [*answered(planned)["technique"]] == ["mixout", "sam"]
    # Before the first look of the plan, and of looks that no plan declares, all contrasts count.
    for families in ((FamilyOutcome("first", ["adamw"], 5, 0, {}),), (FamilyOutcome("", ["adamw"], 2, 1, looked),)):
        (every,) = openings(of(*families))
        assert every.sentences[0].startswith("2 of 4 contrasts with adamw are decided")


def test_labels_have_a_mark_of_the_version_only_where_several_answer(summary: Summary, cell: Any, base: Any) -> None:
    marked = [
        cell(technique="ema", label="ema (aaaaaa)"),
        cell(technique="ema", label="ema (bbbbbb)", task="conll2003"),
        cell(technique="sam", label="sam (cccccc)"),
        cell(technique="sam", label="sam (dddddd)"),
    ]
    cells = pd.DataFrame([base(), base(task="conll2003"), *marked])
    found = answered(dataclasses.replace(summary, cells=cells))
    assert [*found["label"]] == ["ema", "ema", "sam (cccccc)", "sam (dddddd)"]


def test_the_rows_are_as_wide_as_their_heads(opened: Any, cell: Any, base: Any) -> None:
    (one,) = opened(base(), cell(verdict="equivalent", missing=0.0), cell(technique="sam"))
    assert isinstance(one, Opening)
    for table in (one.decided, one.refuted, one.open):
        assert {len(row) for row in table.rows} == {len(table.head)}
