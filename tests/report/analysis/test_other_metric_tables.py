"""The section on other metrics, in Markdown, on the page and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.report.analysis.other_metric_tables import OUTPUT_HEAD, OUTPUT_SHARES, other_metrics_section
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.glossary import ENTITIES, OTHER_METRICS, OUTPUTS
from bench_lib.report.html import methods
from bench_lib.report.markdown.optional import section
from bench_lib.report.render import LISTED, OTHERS, _optional_tables, build_report, render
from bench_lib.store import Store
from bench_lib.tasks.formats.tag_metrics import OF_ENTITIES, TAG_METRICS
from bench_lib.tasks.formats.text_metrics import FORM

OF_LOOPS = ("0.00 \u00b1 0.00", "75.00 \u00b1 0.00", "75.00 \u00b1 25.00", "100.00")
WELL = {"nonempty": 1.0, "ended": 1.0, "unrepeated": 1.0}


@pytest.fixture
def filled(tmp_path: Path, record: Any) -> Any:
    """A store of runs, each with a technique, a seed, a status and metrics; accuracy is the primary one."""

    def build(*runs: tuple[str, int, dict[str, float]], status: str = Status.CONVERGED) -> Store:
        store = Store(tmp_path / "store")
        for technique, seed, metrics in runs:
            run = record(seed, 0.8 if status == Status.CONVERGED else 0.4, technique, status=status)
            store.append(run.changed({"metrics": {"accuracy": run.score, **metrics}}))
        return store

    return build


def tables(store: Store) -> Any:
    return other_metrics_section(summarise(store)).tables


def test_techniques_have_rows_and_metrics_columns_with_the_baseline_first(filled: Any) -> None:
    runs = [(name, seed, {"rouge_l": 0.5 + seed / 10, "chrf": 0.25}) for name in ("fgm", "adamw") for seed in range(2)]
    (table,) = tables(filled(*runs))
    assert table.title == "sst2 (real, minilm, desk)"
    assert table.head == ("technique", "runs", "accuracy (primary)", "chrf", "rouge_l")
    assert table.rows == [
        [name, "2", "80.00 \u00b1 0.00", "25.00 \u00b1 0.00", "55.00 \u00b1 5.00"] for name in ("adamw", "fgm")
    ]


def test_what_is_no_share_is_shown_as_a_number(filled: Any) -> None:
    (table,) = tables(filled(("adamw", 0, {"loss": 0.5, "rank": -0.5}), ("adamw", 1, {"loss": 1.5, "rank": 0.5})))
    assert table.rows == [["adamw", "2", "80.00 \u00b1 0.00", "1 \u00b1 0.5", "0.00 \u00b1 50.00"]]


def test_a_metric_of_fewer_runs_says_of_how_many_and_one_of_none_is_a_dash(filled: Any) -> None:
    runs = [("adamw", 0, {"em": 0.5, "f1": 0.5}), ("adamw", 1, {"em": 0.5}), ("fgm", 0, {"em": 0.25})]
    (table,) = tables(filled(*runs))
    assert table.rows[0] == ["adamw", "2", "80.00 \u00b1 0.00", "50.00 \u00b1 0.00", f"50.00 \u00b1 {md.DASH} (1 run)"]
    assert table.rows[1] == ["fgm", "1", f"80.00 \u00b1 {md.DASH}", f"25.00 \u00b1 {md.DASH}", md.DASH]


def test_outputs_that_repeat_are_seen_and_come_first_below_the_baseline(filled: Any) -> None:
    loops = [("sam", seed, {"chrf": 0.5, "nonempty": 1.0, "ended": 0.25, "unrepeated": 0.5 * seed}) for seed in (0, 1)]
    plain, outputs = tables(filled(("adamw", 0, {**WELL, "chrf": 0.5}), ("fgm", 0, {**WELL, "chrf": 0.5}), *loops))
    assert plain.head == ("technique", "runs", "accuracy (primary)", "chrf")
    assert (outputs.title, outputs.head) == ("Outputs of sst2 (real, minilm, desk)", OUTPUT_HEAD)
    assert [row[0] for row in outputs.rows] == ["adamw", "sam", "fgm"]
    assert outputs.rows[1][1:] == ["converged", "2", *OF_LOOPS]


def test_collapsed_runs_have_a_row_of_their_outputs_and_none_of_other_metrics(filled: Any) -> None:
    filled(("fgm", 0, {**WELL, "chrf": 0.5}))
    looping = {"nonempty": 1.0, "ended": 0.0, "unrepeated": 0.0, "chrf": 0.0}
    plain, outputs = tables(filled(("fgm", 1, looping), status=Status.COLLAPSED))
    assert [row[:2] for row in plain.rows] == [["fgm", "1"]]
    assert [row[:3] for row in outputs.rows] == [["fgm", "converged", "1"], ["fgm", "collapsed", "1"]]
    assert outputs.rows[1][-1] == "100.00"


def test_the_share_of_a_metric_that_a_task_lacks_is_a_dash(filled: Any) -> None:
    (outputs,) = tables(filled(("adamw", 0, {"nonempty": 0.75})))
    assert outputs.rows == [["adamw", "converged", "1", f"25.00 \u00b1 {md.DASH}", md.DASH, md.DASH, md.DASH]]


def test_the_notes_are_those_of_the_metrics_that_the_store_has(filled: Any) -> None:
    assert other_metrics_section(summarise(filled(("adamw", 0, {"f1": 0.5})))).text == OTHER_METRICS
    entities = other_metrics_section(summarise(filled(("adamw", 1, {"conlleval_f1": 0.5})))).text
    assert ENTITIES in entities
    assert OUTPUTS not in entities
    assert OUTPUTS in other_metrics_section(summarise(filled(("adamw", 2, WELL)))).text


def test_the_notes_name_metrics_that_there_are() -> None:
    assert {*OUTPUT_SHARES} <= {*FORM}
    assert all(f"`{name}`" in OUTPUTS for name in OUTPUT_SHARES)
    assert all(name in TAG_METRICS and f"`{name}`" in ENTITIES for name in OF_ENTITIES)
    assert all(f"*{name}*" in OUTPUTS for name in OUTPUT_SHARES.values())


def test_a_store_with_primary_metrics_alone_has_no_section(summary: Summary) -> None:
    assert not other_metrics_section(summary).tables


def test_the_section_in_markdown_and_on_the_page(filled: Any) -> None:
    summary = summarise(filled(("adamw", 0, {"x|y": 0.5, **WELL})))
    text = section(other_metrics_section(summary))
    assert text.startswith("## Other metrics\n")
    assert "| technique | runs | accuracy (primary) | x\\|y |" in text
    ((shown, (plain, outputs)),) = methods.optional(summary)
    assert shown.anchor == "other-metrics"
    assert (plain.caption, outputs.caption) == ("sst2 (real, minilm, desk)", "Outputs of sst2 (real, minilm, desk)")
    assert not _optional_tables(summary)[OTHERS].empty
    assert LISTED["## Other metrics"] == OTHERS


@pytest.mark.exhaustive
def test_the_section_is_in_the_report_and_its_file_goes_with_it(
    filled: Any, tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures, of which the section has none, take most of the time of a report.
    monkeypatch.setattr("bench_lib.report.render.planned", lambda _: [])
    store = filled(("adamw", 0, {"f1": 0.5, **WELL}))
    files = build_report(store).files
    assert b",accuracy,f1,converged,1,0.5,,0.5,0.5,0.8,\n" in files[OTHERS]
    page = files["index.html"].decode()
    assert '<section class="view" id="other-metrics"' in page
    assert '<a href="#other-metrics">Other metrics</a>' in page
    out = tmp_path / "out"
    render(store, out)
    assert (out / OTHERS).is_file()
    plain = Store(tmp_path / "plain")
    plain.append(record(0))
    render(plain, out)
    assert not (out / OTHERS).exists()
