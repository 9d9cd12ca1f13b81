"""Spread against cost, with the front that no technique without failures beats."""

from __future__ import annotations

import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.cost import COLUMNS, cost_figure
from bench_lib.report.figures.draw import svg


def test_the_front_is_what_nothing_beats(summary: Summary) -> None:
    figure = cost_figure(summary.cells, "adamw", "cost")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    for _, own in figure.data.groupby("task"):
        sound = own[own["failed"] == 0]
        for row in sound.itertuples():
            better = sound[(sound["mad"] <= row.mad) & (sound["cost_ratio"] <= row.cost_ratio)]
            assert row.front == (len(better) == 1)
        assert not own[own["failed"] > 0]["front"].any()
    svg(figure)


def test_the_text_names_the_front(summary: Summary) -> None:
    figure = cost_figure(summary.cells, "adamw", "cost")
    assert figure is not None
    assert all(task in figure.alt for task in ("sst2", "squad"))


def test_what_has_no_spread_is_said_to_be_left_out(summary: Summary) -> None:
    gone = summary.cells["label"] == "bertadam"
    figure = cost_figure(summary.cells.assign(mad=summary.cells["mad"].where(~gone)), "adamw", "cost")
    assert figure is not None
    assert "bertadam" not in set(figure.data["technique"])
    assert "not drawn: bertadam on" in figure.alt
    assert "left out" in figure.spec["title"]["subtitle"]


def test_without_a_cost_there_is_no_figure(summary: Summary) -> None:
    assert cost_figure(summary.cells.assign(cost_ratio=float("nan")), "adamw", "cost") is None
    assert cost_figure(summary.cells.iloc[:0], "adamw", "cost") is None


def test_cells_with_few_seeds_are_pale(summary: Summary) -> None:
    figure = cost_figure(summary.cells, "adamw", "cost")
    assert figure is not None
    assert set(figure.data["enough"]) == {"fewer than 20 seeds"}
    assert figure.data["seeds"].max() < 20


@pytest.mark.parametrize(("failed", "marks"), [(0, ["line", "point", "text"]), (1, ["point"])])
def test_no_layer_is_without_data(summary: Summary, failed: int, marks: list[str]) -> None:
    """One technique is a front of its own, whose one name is the cheapest's; what fails is on none."""
    one = summary.cells[summary.cells["technique"] == "adamw"].iloc[:1].assign(failed=failed)
    figure = cost_figure(one, "adamw", "cost")
    assert figure is not None
    (panel,) = figure.spec["concat"]
    assert [layer["mark"]["type"] for layer in panel["layer"]] == marks
    svg(figure)
