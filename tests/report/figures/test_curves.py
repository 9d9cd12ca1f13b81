"""Bands over the seeds that converged, and each failed run by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench_lib.report.cells import add_cell_ids
from bench_lib.report.figures.curves import COLUMNS, MOST, _ticks, curves_figure
from bench_lib.report.figures.draw import svg


@pytest.fixture
def runs(record: Any, frame: Any) -> Any:
    records = [record(i, 0.8, t) for t in ("adamw", "mixout") for i in range(5)]
    return add_cell_ids(frame([*records, record(7, None, "mixout", status="diverged")]))


def losses(count: int) -> Any:
    return np.linspace(2, 1, 16, dtype=np.float32) + np.arange(count, dtype=np.float32)[:, None]


def test_the_band_is_of_the_seeds_that_converged(runs: Any) -> None:
    loss = losses(len(runs))
    figure = curves_figure(runs, loss, "curves")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    band = figure.data[(figure.data["technique"] == "adamw") & figure.data["seed"].isna()]
    assert band["median"].tolist() == pytest.approx(np.median(loss[:5], axis=0).tolist(), rel=1e-3)
    assert band["low"].tolist() == pytest.approx(np.quantile(loss[:5], 0.1, axis=0).tolist(), rel=1e-3)
    svg(figure)


@pytest.mark.parametrize(("status", "layers"), [("converged", ["area", "line"]), ("diverged", ["line"])])
def test_no_layer_is_without_data(record: Any, frame: Any, status: str, layers: list[str]) -> None:
    runs = add_cell_ids(frame([record(i, 0.8 if status == "converged" else None, status=status) for i in range(3)]))
    figure = curves_figure(runs, losses(3), "curves")
    assert figure is not None
    drawn = figure.spec["spec"]["layer"]
    assert [layer["mark"]["type"] for layer in drawn] == layers
    assert {layer["encoding"]["y"]["title"] for layer in drawn} == {"loss"}
    svg(figure)


def test_a_failed_run_is_drawn_by_itself(runs: Any) -> None:
    figure = curves_figure(runs, losses(len(runs)), "curves")
    assert figure is not None
    alone = figure.data[figure.data["seed"].notna()]
    assert set(alone["seed"]) == {7}
    assert set(alone["technique"]) == {"mixout"}
    assert "1 failed run" in figure.alt


def test_a_loss_that_is_not_finite_leaves_a_gap(runs: Any) -> None:
    loss = losses(len(runs))
    loss[-1, 8:] = np.inf
    figure = curves_figure(runs, loss, "curves")
    assert figure is not None
    assert figure.data["loss"].isna().sum() == len(figure.data) - 8
    svg(figure)


def test_of_many_failed_runs_some_are_drawn(record: Any, frame: Any) -> None:
    runs = add_cell_ids(frame([record(i, None, status="diverged") for i in range(90)]))
    figure = curves_figure(runs, losses(90), "curves")
    assert figure is not None
    assert figure.data["seed"].nunique() == MOST
    assert {0, 89} <= set(figure.data["seed"])
    assert f"at most {MOST} failed runs" in figure.title
    assert "90 failed runs" in figure.alt


@pytest.mark.parametrize(("low", "high"), [(0.02, 3.0), (1e-4, 1e4), (0.3, 3.1)])
def test_a_logarithmic_axis_has_some_ticks(low: float, high: float) -> None:
    ticks = _ticks(low, high)
    assert 3 <= len(ticks) <= 10
    assert all(low <= tick <= high for tick in ticks)


def test_no_curve_no_figure(runs: Any) -> None:
    assert curves_figure(runs, np.full((len(runs), 16), np.nan, dtype=np.float32), "curves") is None
