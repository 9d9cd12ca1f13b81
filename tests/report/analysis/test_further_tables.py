"""The sections on further sets and on forgetting, in Markdown, on the page and as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.spec import canonical_json, digest
from bench_lib.report.analysis.further_tables import FORGETTING_HEAD, FURTHER_HEAD, forgetting_section, further_section
from bench_lib.report.analysis.optional_sections import optional_sections
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.render import build_report, render
from bench_lib.store import Store

METRICS = {"imdb_cad.accuracy": 0.625, "forgetting.perplexity_before": 10.0, "forgetting.perplexity": 20.0}


@pytest.fixture
def store(tmp_path: Path, record: Any) -> Store:
    """Two seeds of fgm and of the baseline, measured on a further set and on general text."""
    store = Store(tmp_path / "store")
    for run in (record(seed, 0.8, name) for name in ("fgm", "adamw") for seed in range(2)):
        spec = canonical_json({**json.loads(run.spec), "also": {"imdb_cad": "data1", "forgetting": "text1"}})
        store.append(run.changed({"spec": spec, "run_id": digest(json.loads(spec)), "metrics": METRICS}))
    return store


def test_the_tables_of_a_task_with_the_baseline_first(store: Store) -> None:
    summary = summarise(store)
    (scores,), (perplexities,) = further_section(summary).tables, forgetting_section(summary).tables
    assert scores.title == perplexities.title == "sst2 (real, minilm, desk)"
    assert (scores.head, perplexities.head) == (FURTHER_HEAD, FORGETTING_HEAD)
    assert scores.rows[0] == ["adamw", "imdb_cad", "accuracy", "2", "62.50", "0.00", "80.00", "0.00"]
    assert perplexities.rows[0] == ["adamw", "2", "10", "20", "0.693", "0.000"]
    assert [row[0] for row in scores.rows] == ["adamw", "fgm"]


def test_a_store_without_such_runs_has_no_sections(summary: Summary) -> None:
    assert [section.anchor for section in optional_sections(summary)] == []


@pytest.mark.exhaustive
def test_sections_are_in_the_report_and_their_files_go_with_them(
    store: Store, tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures, of which the sections have none, take most of the time of a report.
    monkeypatch.setattr("bench_lib.report.render.planned", lambda _: [])
    files = build_report(store).files
    assert files["further.csv"].decode().splitlines()[0].endswith("set,measure,runs,mean,mad,task_mean,task_mad")
    assert files["forgetting.csv"].decode().splitlines()[1].endswith(",2,10,20,0.6931471806,0")
    assert "## Further evaluation sets\n" in files["leaderboard.md"].decode()
    page = files["index.html"].decode()
    assert '<section class="view" id="further"' in page
    assert '<a href="#forgetting">Forgetting</a>' in page
    out = tmp_path / "out"
    render(store, out)
    assert (out / "further.csv").is_file()
    plain = Store(tmp_path / "plain")
    plain.append(record(0))
    render(plain, out)
    assert not (out / "further.csv").exists()
    assert "Further evaluation sets" not in (out / "leaderboard.md").read_text()
