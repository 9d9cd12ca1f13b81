from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from bench_lib.api import Grid, compare, load, run, summarise, verdicts
from bench_lib.core.errors import UnknownName
from bench_lib.executors import InlineExecutor
from bench_lib.runner.sweep import Progress


@pytest.fixture(scope="module")
def grid(data_folder: Path) -> Grid:
    return Grid(("conll2003", "sst2"), ("adamw", "mixout"), (0, 1), "smoke", "tiny", str(data_folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "results"


@pytest.fixture(scope="module")
def runs(grid: Grid, folder: Path) -> pd.DataFrame:
    return run(grid, folder)


def test_a_run_gives_one_row_a_run(runs: pd.DataFrame, grid: Grid) -> None:
    assert list(runs[["task", "technique", "seed"]].itertuples(index=False, name=None)) == [
        (task, technique, seed)
        for task in ("conll2003", "sst2")
        for technique in ("adamw", "mixout")
        for seed in (0, 1)
    ]
    assert set(runs["status"]) <= {"converged", "collapsed"}
    assert runs["score"].notna().all()


def test_what_was_run_can_be_loaded(runs: pd.DataFrame, folder: Path) -> None:
    pd.testing.assert_frame_equal(load(str(folder)), runs)


def test_a_run_again_gives_the_whole_store_and_trains_nothing(runs: pd.DataFrame, grid: Grid, folder: Path) -> None:
    told: list[Progress] = []
    part = Grid(("sst2",), ("mixout",), (1,), grid.profile, grid.model, grid.data)
    pd.testing.assert_frame_equal(run(part, str(folder), InlineExecutor(), told.append), runs)
    assert [(p.total, p.stored, p.finished) for p in told] == [(1, 1, 0)]


def test_nothing_is_printed_but_a_bar_where_one_is_asked_for(
    runs: pd.DataFrame, grid: Grid, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(grid, folder)
    assert capfd.readouterr() == ("", "")
    run(grid, folder, progress=True)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "8/8" in printed.err


def test_a_summary_has_one_row_a_cell(runs: pd.DataFrame) -> None:
    table = summarise(runs).set_index(["task", "technique"])
    assert len(table) == 4
    assert (table["attempted"] == 2).all()
    for cell, rows in runs.groupby(["task", "technique"]):
        found, good = table.loc[[cell]].iloc[0], rows[rows["status"] == "converged"]
        assert found["failed"] == 2 - len(good)
        assert found["failure_rate"] == 1 - len(good) / 2
        assert found["mean"] == pytest.approx(good["score"].mean(), nan_ok=True)


def test_a_comparison_is_against_the_baseline(runs: pd.DataFrame) -> None:
    table = compare(runs).set_index(["task", "technique"])
    assert len(table) == 4
    assert list(table["against"]) == ["adamw"] * 4
    assert table.xs("adamw", level="technique")["p_failure"].isna().all()
    shortest = runs[runs["status"] == "converged"].groupby(["task", "technique"])["train_seconds"].min()
    for cell, seconds in shortest.items():
        assert table.loc[cell, "cost_ratio"] == seconds / shortest.get((cell[0], "adamw"), math.nan) or (
            math.isnan(table.loc[cell, "cost_ratio"]) and (cell[0], "adamw") not in shortest
        )
    elsewhere = runs.assign(provenance=[{"cpu": name} for name in runs["technique"]])
    assert compare(elsewhere).set_index("technique").loc["mixout", "cost_ratio"].isna().all()
    assert len(compare(runs.drop(columns="provenance"))) == 4
    other = compare(runs, "mixout").set_index(["task", "technique"])
    assert list(other["against"]) == ["mixout"] * 4


def test_a_verdict_is_on_the_seeds_that_both_have(runs: pd.DataFrame) -> None:
    table = verdicts(runs).set_index(["task", "technique"])
    assert len(table) == 4
    assert list(table.xs("mixout", level="technique")["verdict"]) == ["underpowered"] * 2
    assert list(table.xs("mixout", level="technique")["shared"]) == [2, 2]
    assert list(table.xs("adamw", level="technique")["verdict"]) == [""] * 2


@pytest.mark.parametrize("judge", [compare, verdicts])
def test_an_unknown_baseline_is_answered_with_the_nearest(judge, runs: pd.DataFrame) -> None:
    with pytest.raises(UnknownName, match="did you mean 'mixout'"):
        judge(runs, "mixuot")


def test_nothing_can_be_loaded_from_nowhere(tmp_path: Path) -> None:
    empty = load(tmp_path / "none")
    assert len(empty) == 0
    assert "score" in empty
