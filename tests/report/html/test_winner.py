"""The page and the command line rank by one rule: asked the same, they name the same winner."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.report.analysis import results
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.views import Views
from bench_lib.store import Store

WON = {
    # Of the two the geometric mean prefers the first, the arithmetic mean the second.
    ("uneven", "sst2"): 0.1, ("uneven", "imdb"): 2.0, ("even", "sst2"): 0.7, ("even", "imdb"): 0.7,
    # Judged on one task alone, where it is far ahead.
    ("narrow", "sst2"): 0.05,
}  # fmt: skip


@pytest.fixture
def summary(tmp_path: Any, record: Any) -> Summary:
    """Three techniques, each proven more stable on one task, that differ in their ratios and in what they cover."""
    store = Store(tmp_path / "store")
    for task in ("sst2", "imdb"):
        for technique in ("adamw", *(name for name, where in WON if where == task)):
            for seed in range(3):
                store.append(record(seed, 0.8 + seed / 100, technique, task=task))
    known = summarise(store)
    cells = known.cells.copy()
    for (technique, task), ratio in WON.items():
        own = (cells["technique"] == technique) & (cells["task"] == task)
        verdict = "more stable" if task == "sst2" else "underpowered"
        cells.loc[own, ["mad_ratio", "verdict", "decided_by"]] = [ratio, verdict, "spread"]
    return dataclasses.replace(known, cells=cells)


def test_the_page_and_the_command_line_name_the_same_winner(
    summary: Summary,
    catalogue: Catalogue,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (group,) = Views(summary, catalogue).summaries()
    monkeypatch.setattr(results, "summarise", lambda *_, **__: summary)
    arguments = ["--task-like", "classification", "--store", str(tmp_path / "store"), "--json"]
    assert main(["recommend", *arguments]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert [one.name for one in group.best] == [one["name"] for one in answer["found"]] == ["uneven", "even"]
    assert answer["partly"] == ["narrow"]
    assert any("narrow" in line for line in group.lines)
