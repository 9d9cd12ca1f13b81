"""Ranks over tasks, with bars over what could be alike."""

from __future__ import annotations

import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.critical_difference import COLUMNS, critical_difference_figure
from bench_lib.report.figures.draw import svg


def test_ranks_and_cliques(summary: Summary) -> None:
    figure = critical_difference_figure(summary.ranks, "adamw", "ranks")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    ruler, dots = figure.data.iloc[:1], figure.data[figure.data["to_rank"].isna()]
    bars = figure.data[figure.data["role"] == "clique"]
    assert dots["average_rank"].is_monotonic_increasing
    assert dots["average_rank"].tolist() == summary.ranks["average_rank"].round(4).tolist()
    difference = summary.ranks["critical_difference"].iloc[0]
    assert (ruler["to_rank"] - ruler["average_rank"]).tolist() == pytest.approx([difference], abs=1e-3)
    assert ((bars["to_rank"] - bars["average_rank"]) < difference).all()
    assert dots[dots["role"] == "baseline"]["technique"].tolist() == ["adamw"]
    svg(figure)


def test_too_few_tasks_have_no_diagram(summary: Summary) -> None:
    few = summary.ranks.assign(critical_difference=float("nan"))
    assert critical_difference_figure(few, "adamw", "ranks") is None
    assert critical_difference_figure(summary.ranks.iloc[:0], "adamw", "ranks") is None
