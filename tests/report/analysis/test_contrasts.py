from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench_lib.report.analysis.contrasts import CONTRASTS, contrasts
from bench_lib.stats.failure import difference_interval


def one(*rows: dict[str, Any]) -> Any:
    table = contrasts(pd.DataFrame(rows))
    assert tuple(table.columns) == CONTRASTS
    (found,) = table.itertuples()
    return found


def test_a_contrast_has_the_difference_of_failure_rates_on_its_own_seeds(cell: Any, base: Any) -> None:
    row = one(cell(shared=20, shared_failed=5, against_failed=1, failed=9), base())
    assert row.failure_difference == pytest.approx(0.2)
    expected = difference_interval(5, 20, 1, 20)
    assert (row.failure_difference_low, row.failure_difference_high) == expected


def test_the_baseline_and_what_is_declined_are_no_contrasts(cell: Any, base: Any) -> None:
    declined = cell(technique="lora", unsupported=30, judged=0)
    alone = cell(technique="sam", against="")
    assert contrasts(pd.DataFrame([base(), declined, alone])).empty


@pytest.mark.parametrize(
    ("verdict", "location", "decided"),
    [
        ("more stable", "open", True),
        ("equivalent", "same", True),
        ("underpowered", "worse", True),
        ("underpowered", "better", False),
        ("", "", False),
    ],
)
def test_decided_is_what_a_comparison_stops_at(
    cell: Any, base: Any, verdict: str, location: str, decided: bool
) -> None:
    assert one(cell(verdict=verdict, verdict_location=location), base()).decided == decided


def test_a_claim_to_stabilise_is_refuted_by_equivalence_and_by_less_stability(cell: Any, base: Any) -> None:
    for verdict, claims in {
        "equivalent": "mixout_stability",
        "less stable": "mixout_stability",
        "more stable": "",
        "underpowered": "",
    }.items():
        assert one(cell(verdict=verdict, decided_by="spread"), base()).claims == claims
    assert one(cell(technique="fgm", verdict="equivalent"), base()).claims == ""


def test_a_stack_and_a_tuned_arm_claim_what_their_parts_do(cell: Any, base: Any) -> None:
    for name in ("llrd+reinit", "reinit:layers=2", "reinit[tuned@16]"):
        assert "reinit_stability" in one(cell(technique=name, verdict="less stable"), base()).claims


def test_missing_runs_are_those_beyond_the_stored_ones(cell: Any, base: Any) -> None:
    row = one(cell(shared=20, judged=22, missing=10.0), base(judged=28))
    assert (row.missing_runs, row.missing_baseline_runs) == (8, 2)
    row = one(cell(shared=20, judged=22, missing=0.0), base(judged=28))
    assert (row.missing_runs, row.missing_baseline_runs) == (0, 0)


def test_without_shared_seeds_nothing_is_known(cell: Any, base: Any) -> None:
    row = one(cell(shared=0, missing=math.nan, verdict=""), base())
    assert math.isnan(row.failure_difference)
    assert not row.decided
