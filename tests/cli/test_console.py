"""Tables, text and JSON of the command line, and the progress of a sweep."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench_lib.cli import console
from bench_lib.cli.console import ProgressLine
from bench_lib.core.record import RunRecord, Status
from bench_lib.executors import InlineExecutor
from bench_lib.report import formatting as md
from bench_lib.report.column import View
from bench_lib.report.columns import shown_in
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.sweep import Progress

Written = pytest.CaptureFixture[str]


def test_columns_are_aligned() -> None:
    assert console.columns(("a", "b"), [("long", "1"), ("x", "100")], text_columns=1) == [
        "a       b",
        "long    1",
        "x     100",
    ]


def test_lines_are_broken_and_hang() -> None:
    lines = console.hanging("  1-4", "at most 2 % " * 20, 8).splitlines()
    assert lines[0].startswith("  1-4   at most")
    assert all(line.startswith(" " * 8) and not line.strip().startswith("%") for line in lines[1:])
    assert max(map(len, lines)) <= console.WIDTH
    assert console.hanging("a long lead", "text", 4) == "a long lead text"


def test_what_is_not_known_is_a_dash_or_null() -> None:
    assert console.columns(("a",), [(md.number(math.nan),)], text_columns=1)[1] == "-"
    assert json.loads(console.machine({"b": (math.nan, math.inf), "a": [1.5]})) == {"a": [1.5], "b": [None, "inf"]}


def test_the_signs_of_the_report_are_typed() -> None:
    assert console.columns(("\u0394 mean",), [("\u221e",)], text_columns=1) == ["diff. mean", "inf"]


def test_a_legend_has_the_first_sentence_of_each_meaning() -> None:
    (worst,) = [column for column in shown_in(View.SIDES) if column.name == "minimum"]
    assert console.legend([dataclasses.replace(worst, meaning="The lowest. Not the mean.")]) == "worst: The lowest."


@pytest.fixture
def stages(data_folder: Path) -> list[Progress]:
    """A sweep of three runs, one of them stored, as it is told."""
    specs = plan(Grid(("sst2",), ("adamw",), (0, 1), "smoke", "tiny", str(data_folder)))
    good: RunRecord = dataclasses.replace(blank_record(specs[0], Status.CONVERGED, ""), score=0.875)
    bad = blank_record(specs[1], Status.TIMEOUT, "no result within 5 s " + "x" * 200)
    return [
        Progress(3, 1, 0, Counter()),
        Progress(3, 1, 1, Counter(["converged"]), good),
        Progress(3, 1, 2, Counter(["converged", "timeout"]), bad),
    ]


def test_elsewhere_each_run_is_a_line(capsys: Written, stages: list[Progress]) -> None:
    with ProgressLine() as line:
        for stage in stages:
            line(stage)
    written = capsys.readouterr()
    assert written.out.splitlines() == [
        "3 runs: 1 stored, 2 to do",
        "[2/3, 0 failed] sst2 adamw seed 0: converged accuracy 0.8750",
        f"[3/3, 1 failed] sst2 adamw seed 1: timeout no result within 5 s {'x' * 139}",
    ]
    assert written.err == ""


def test_the_lines_go_to_the_stream_that_is_given(capsys: Written, stages: list[Progress]) -> None:
    with ProgressLine(sys.stderr) as line:
        line(stages[0])
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "3 runs: 1 stored, 2 to do\n")


def test_on_a_terminal_there_is_a_bar_and_lost_runs_are_named(
    capsys: Written, monkeypatch: pytest.MonkeyPatch, stages: list[Progress]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as line:
        shown = []
        for stage in stages:
            line(stage)
            shown.append((line.bar.n, line.bar.total, line.bar.postfix))
    assert shown == [(1, 3, "0 failed"), (2, 3, "0 failed"), (3, 3, "1 failed")]
    written = capsys.readouterr()
    assert written.out == ""
    assert "3/3" in written.err
    named = [part for part in written.err.replace("\r", "\n").splitlines() if "sst2" in part]
    assert len(named) == 1
    assert named[0].startswith("[3/3, 1 failed] sst2 adamw seed 1: timeout")


def test_what_begins_has_a_line_until_the_first_run_is_done(capsys: Written, stages: list[Progress]) -> None:
    groups = [(spec,) for spec in plan(Grid(("sst2",), ("adamw",), (4, 5, 6), "smoke", "tiny"))]
    with ProgressLine() as line:
        line(stages[0])
        for _ in line.watch(InlineExecutor()).run(len, groups):
            line(dataclasses.replace(stages[1], last=dataclasses.replace(stages[2].last)))
    _, running, *lines = capsys.readouterr().out.splitlines()
    assert running == "running sst2 adamw seed 4"
    assert len(lines) == 3
    assert all(
        text.startswith("[2/3, 0 failed; 0.0 s a run, 1 left in about 0.0 s] sst2 adamw seed 1: ") for text in lines
    )


def test_on_a_terminal_the_bar_names_what_is_under_way(
    capsys: Written, monkeypatch: pytest.MonkeyPatch, stages: list[Progress]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    groups = [(spec,) for spec in plan(Grid(("sst2",), ("adamw",), (4,), "smoke", "tiny"))]
    with ProgressLine() as line:
        line(stages[0])
        shown = []
        for _ in line.watch(InlineExecutor()).run(lambda _: shown.append(line.bar.desc), groups):
            line(stages[1])
        shown += [line.bar.desc, line.bar.postfix]
    assert shown == ["running sst2 adamw seed 4", "", "0 failed; 0.0 s a run, 1 left in about 0.0 s"]
    assert "running sst2 adamw seed 4" in capsys.readouterr().err


def test_a_run_has_one_line_and_what_others_are_at_is_told(capsys: Written, stages: list[Progress]) -> None:
    with ProgressLine() as line:
        for stage in (stages[1], stages[1], Progress(3, 1, 0, Counter(), waiting=2)):
            line(stage)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("[2/3, 0 failed] sst2 adamw seed 0")
    assert last == "2 runs are under way in other processes, which are waited for"
