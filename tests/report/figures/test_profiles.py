"""Shares of runs above each normalised score."""

from __future__ import annotations

import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.profiles import COLUMNS, MOST, profiles_figure


def test_shares_fall_and_count_failures(summary: Summary) -> None:
    figure = profiles_figure(summary.runs, "adamw", "profiles")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    for technique, own in figure.data.groupby("technique"):
        assert own["share"].is_monotonic_decreasing, technique
        if own["drawn"].all():
            assert ((own["low"] <= own["share"]) & (own["share"] <= own["high"])).all()
    at_zero = figure.data[figure.data["tau"] == 0].set_index("technique")["share"]
    assert at_zero["bertadam"] < at_zero["llrd+reinit"] == 100
    svg(figure)


def test_only_techniques_of_every_task_have_one_and_the_baseline_is_drawn(summary: Summary) -> None:
    figure = profiles_figure(summary.runs, "adamw", "profiles")
    assert figure is not None
    assert "fgm" not in set(figure.data["technique"])
    drawn = set(figure.data[figure.data["drawn"]]["technique"])
    assert "adamw" in drawn
    assert len(drawn) <= MOST


def test_only_what_is_drawn_has_a_band(summary: Summary, monkeypatch: pytest.MonkeyPatch) -> None:
    every = profiles_figure(summary.runs, "adamw", "profiles")
    monkeypatch.setattr("bench_lib.report.figures.profiles.MOST", 2)
    two = profiles_figure(summary.runs, "adamw", "profiles")
    assert every is not None
    assert two is not None
    assert two.data["drawn"].any()
    assert not two.data["drawn"].all()
    assert two.data["low"].notna().equals(two.data["drawn"])
    assert two.data["share"].tolist() == every.data["share"].tolist()


def test_one_technique_has_nothing_to_be_held_against(summary: Summary) -> None:
    alone = summary.runs[summary.runs["technique"].astype(str) == "adamw"]
    assert profiles_figure(alone, "adamw", "profiles") is None
    assert profiles_figure(summary.runs.assign(trivial_score=float("nan")), "adamw", "profiles") is None
