from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bench_lib.core.errors import UnknownName
from bench_lib.report.analysis.dominance import DOMINANCE, MEASURES, dominance
from bench_lib.stats.aso import violation_ratio
from bench_lib.stats.equivalence import superiority_effect

BASE, HIGHER, MIXED = (0.80, 0.82, 0.87, 0.75), (0.90, 0.91, 0.88, 0.93), (0.70, 0.82, 0.95, 0.81)


@pytest.fixture
def runs(record: Any, frame: Any) -> pd.DataFrame:
    scores = {"adamw": BASE, "mixout": HIGHER, "llrd": MIXED}
    rows = [record(seed, score, name) for name, each in scores.items() for seed, score in enumerate(each)]
    return frame([*rows, record(9, None, "mixout", status="diverged"), record(0, 0.8, "swa", task="rte")])


def test_each_cell_stands_beside_the_baseline_of_its_task(runs: pd.DataFrame) -> None:
    table = dominance(runs).set_index("technique")
    assert sorted(table.index) == ["llrd", "mixout"]
    assert list(table["against"]) == ["adamw"] * 2
    assert table.loc["mixout", list(MEASURES)].tolist() == [1, 1, 1, 0, 0]
    mixed = table.loc["llrd"]
    assert mixed["superiority"] == superiority_effect(MIXED, BASE).estimate
    assert mixed["superiority_low"] < mixed["superiority"] < mixed["superiority_high"]
    assert mixed["violation_ratio"] == violation_ratio(MIXED, BASE)
    assert mixed["violation_ratio"] < mixed["violation_bound"] <= 1


def test_the_same_runs_give_the_same_table(runs: pd.DataFrame) -> None:
    table = dominance(runs)
    assert list(table.columns) == list(DOMINANCE)
    pd.testing.assert_frame_equal(table, dominance(runs.sample(frac=1, random_state=0)))


def test_too_few_runs_have_no_bounds(record: Any, frame: Any) -> None:
    (row,) = dominance(frame([record(0, 0.8), record(0, 0.9, "mixout")])).to_dict("records")
    assert row["violation_ratio"] == 0
    assert all(pd.isna(row[name]) for name in MEASURES if name != "violation_ratio")


def test_an_unknown_baseline_is_answered_with_the_nearest(runs: pd.DataFrame) -> None:
    with pytest.raises(UnknownName, match="unknown baseline technique 'adam': did you mean 'adamw'"):
        dominance(runs, "adam")
