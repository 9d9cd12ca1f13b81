"""Every seed is a dot, failed ones among them, on an axis that shows the spread of the rest."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import add_cell_ids
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.seeds import COLUMNS, MOST, seeds_figure


def of_task(summary: Summary, task: str) -> Any:
    return summary.runs[summary.runs["task"].astype(str) == task]


def test_every_run_is_a_row_with_its_own_fate(summary: Summary) -> None:
    runs = of_task(summary, "sst2")
    figure = seeds_figure(runs, "adamw", "seeds-x")
    assert tuple(figure.data) == COLUMNS
    assert figure.data["run"].tolist() == runs["run_id"].tolist()
    assert figure.data["status"].tolist() == runs["status"].tolist()
    assert figure.data["score"].dropna().tolist() == pytest.approx((100 * runs["score"].dropna()).round(3).tolist())


def test_the_baseline_comes_first_and_the_failing_last(summary: Summary) -> None:
    figure = seeds_figure(of_task(summary, "sst2"), "adamw", "s")
    text = json.dumps(figure.spec)
    order = json.loads(text[text.index('"domain": ["adamw"') + len('"domain": ') :].split("]")[0] + "]")
    assert order[0] == "adamw"
    assert order[-1] == "bertadam"
    assert len(order) == 9


def test_a_collapse_does_not_hide_the_spread(record: Any, frame: Any) -> None:
    good = [record(i, 0.80 + i / 1000, "adamw") for i in range(5)]
    runs = add_cell_ids(frame([*good, record(9, 0.5, "adamw", status="collapsed")]))
    figure = seeds_figure(runs, "adamw", "s")
    limits = [p["layer"][0]["encoding"]["x"]["scale"]["domain"] for p in figure.spec["hconcat"]]
    assert len(limits) == 2
    assert limits[0][0] < 50 < limits[0][1] == limits[1][0]
    assert limits[1][1] - limits[1][0] < 2
    assert "1 run failed: adamw" in figure.alt


def test_a_run_without_a_score_has_a_place_of_its_own(record: Any, frame: Any) -> None:
    figure = seeds_figure(add_cell_ids(frame([record(0), record(1, None, status="diverged")])), "adamw", "s")
    assert [panel["layer"][0]["encoding"]["x"]["field"] for panel in figure.spec["hconcat"]][:1] == ["side"]
    svg(figure)


def test_failures_alone_can_be_drawn(record: Any, frame: Any) -> None:
    svg(seeds_figure(add_cell_ids(frame([record(i, None, status="diverged") for i in range(2)])), "adamw", "s"))
    svg(seeds_figure(add_cell_ids(frame([record(i, 0.4, status="collapsed") for i in range(2)])), "adamw", "s"))


def test_one_run_can_be_drawn(record: Any, frame: Any) -> None:
    svg(seeds_figure(add_cell_ids(frame([record(0)])), "adamw", "s"))


def test_of_many_runs_some_at_even_ranks_are_drawn(record: Any, frame: Any) -> None:
    scores = np.random.default_rng(0).normal(0.8, 0.01, 200)
    figure = seeds_figure(add_cell_ids(frame([record(i, float(s)) for i, s in enumerate(scores)])), "adamw", "s")
    assert len(figure.data) == MOST
    assert figure.data["score"].min() == pytest.approx(100 * scores.min(), abs=1e-3)
    assert figure.data["score"].max() == pytest.approx(100 * scores.max(), abs=1e-3)
    assert f"{MOST} seeds of each technique" in figure.title
    assert "200 runs" in figure.alt
    # The mean is that of all runs, not of those that are drawn.
    assert f'\\"adamw\\": {100 * scores.mean():.3f}'.rstrip("0") in json.dumps(figure.spec)


def test_a_run_that_is_not_supported_is_not_lost(record: Any, frame: Any) -> None:
    runs = [record(0), record(1, None, status="unsupported"), record(2, None, status="oom")]
    figure = seeds_figure(add_cell_ids(frame(runs)), "adamw", "s")
    assert "'declined'" in json.dumps(figure.spec)
    assert "failed" not in figure.alt


def test_few_runs_are_not_ranked(record: Any, frame: Any) -> None:
    few, many = (
        add_cell_ids(frame([record(i, 0.8 + i / 1e4, t) for t in ("adamw", "x") for i in range(n)])) for n in (19, 20)
    )
    assert "No technique has" in seeds_figure(few, "adamw", "s").alt
    assert "lowest MAD: x." in seeds_figure(many, "adamw", "s").alt


def test_a_strip_of_fifty_techniques_is_small(record: Any, frame: Any) -> None:
    draws = np.random.default_rng(0)
    runs = [record(i, float(draws.normal(0.8, 0.01)), f"technique{t:02}") for t in range(50) for i in range(30)]
    assert len(svg(seeds_figure(add_cell_ids(frame(runs)), "technique00", "s"))) < 320_000
