"""The method notes say where each number comes from."""

from __future__ import annotations

import json

import pandas as pd

from bench_lib.report.analysis.calibration import measured
from bench_lib.report.analysis.results import Summary
from bench_lib.report.html import methods


def test_failures_are_all_listed_by_cell_with_their_reasons(summary: Summary) -> None:
    rows = [row for table in methods.failures(summary.runs) for row in table.rows]
    assert [row[5:] for row in rows] == [
        ["diverged", "4", "not finite at step 17"],
        ["timeout", "5", "time limit of 60 s"],
    ]


def test_many_reasons_are_counted(summary: Summary) -> None:
    runs = summary.runs.assign(status="diverged", reason=[f"step {i}" for i in range(len(summary.runs))])
    assert any("more" in row[-1] for table in methods.failures(runs) for row in table.rows)


def test_versions_are_named_with_their_runs(summary: Summary) -> None:
    rows = dict(methods.provenance_tables(summary.runs)[0].rows)
    assert rows == {"machine": "box", "torch": "2.13.0"}
    mixed = summary.runs.assign(provenance=[json.dumps({"torch": str(i % 2)}) for i in range(len(summary.runs))])
    assert dict(methods.provenance_tables(mixed)[0].rows)["torch"].count("runs)") == 2
    many = summary.runs.assign(provenance=[json.dumps({"commit": f"c{i:02}"}) for i in range(len(summary.runs))])
    assert "different values" in dict(methods.provenance_tables(many)[0].rows)["commit"]
    part = summary.runs.assign(provenance=["{}"] + ['{"torch":"2"}'] * (len(summary.runs) - 1))
    assert "not recorded (1 runs)" in dict(methods.provenance_tables(part)[0].rows)["torch"]


def test_data_and_models_stand_with_their_fingerprints(summary: Summary) -> None:
    rows = methods.provenance_tables(summary.runs)[1].rows
    assert rows == [
        ["sst2", "embedded", "made", "minilm", "weights0"],
        ["sst2", "local", "data0", "minilm", "weights0"],
    ]


def test_the_calibration_is_what_was_measured() -> None:
    table = methods.calibration_table()
    assert len(table.rows) == len(measured().rows)
    assert all(len(row) == len(table.head) for row in table.rows)
    assert "{" not in methods.verdict_text()


def test_embedded_data_are_explained_where_there_are_any(summary: Summary) -> None:
    assert any("Embedded data" in text for text in methods.paragraphs(summary))


def test_cells_of_few_seeds_are_counted(summary: Summary) -> None:
    assert methods.seeds_note(summary.cells).startswith("6 of 6 cells")
    enough = pd.DataFrame({"attempted": [30], "unsupported": [0], "converged": [30]})
    assert methods.seeds_note(enough) == ""
