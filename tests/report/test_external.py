from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.record import RunRecord
from bench_lib.integrations.scores.records import ImportSettings, add, records
from bench_lib.integrations.scores.table import GivenTable, Reading, read_runs
from bench_lib.report.analysis.results import summarise
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.reproduce import Commands
from bench_lib.report.html.summaries import heading
from bench_lib.report.markdown.leaderboard import leaderboard
from bench_lib.store import Store

Make = Callable[..., RunRecord]


@pytest.fixture
def table(tmp_path: Path) -> GivenTable:
    path = tmp_path / "runs.csv"
    path.write_text("method,task,seed,acc\nsam,rte,0,80\nsam,rte,1,50\nsam,rte,2,\n")
    return read_runs(path, Reading())


def test_external_runs_have_tables_of_their_own(table: GivenTable, tmp_path: Path, record: Make) -> None:
    store = Store(tmp_path / "store")
    for own in (record(seed, 0.7 + seed / 100, "adamw", task="rte") for seed in range(3)):
        store.append(own)
    add(store, records(table, ImportSettings(model="minilm", profile="desk")), table.runs)
    summary = summarise(store)
    assert {*summary.cells["data"].astype(str)} == {"real", "external"}
    assert summary.cells.set_index("technique").loc["sam", "against"] == ""
    text = leaderboard(summary, [])
    assert "## real data, model minilm, profile desk" in text
    assert "## External runs, model minilm, profile desk" in text
    assert "**External runs**: made by another harness" in text


def test_a_store_may_hold_nothing_else(table: GivenTable, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    add(store, records(table, ImportSettings()), table.runs)
    summary = summarise(store, "sam")
    assert summary.cells[["data", "model"]].astype(str).to_numpy().tolist() == [["external", "unknown"]]


def test_they_stand_beside_our_own_where_that_is_asked(table: GivenTable, tmp_path: Path, record: Make) -> None:
    store = Store(tmp_path / "store")
    store.append(record(0, 0.7, task="rte"))
    settings = ImportSettings(model="minilm", profile="desk", beside_own=True)
    add(store, records(table, settings), table.runs)
    summary = summarise(store)
    assert {*summary.cells["data"].astype(str)} == {"real"}
    assert {*summary.cells["model"].astype(str)} == {"minilm"}
    # Their settings are not known to be those of our baseline, so that nothing is compared.
    assert summary.cells.set_index("technique").loc["sam", "against"] == ""


def test_a_page_names_no_command_of_ours_for_them(table: GivenTable) -> None:
    spec = {"harness": "lab", "task": ["rte", "external"]}
    commands = Commands(catalogue=Catalogue({}, {}))  # nothing is looked up
    assert commands.line({}, spec) == "lab, with seed"
    assert commands.notes({}, spec) == ["This run was made by another harness, lab, and imported."]
    assert heading(("external", "bert", "lab")) == "external runs, bert, profile lab"
    assert heading(("real", "bert", "desk")) == "real data, bert, profile desk"
