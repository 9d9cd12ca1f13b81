"""Cells with their seeds: the same runs as a grid's, one cell at a time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench_lib.runner.cells import CellRuns, one_of_each
from bench_lib.runner.grid import Grid, cells_of, runs_of


@pytest.fixture(scope="module")
def small(data_folder: Path) -> Grid:
    return Grid(("sst2", "rte"), ("adamw", "ema"), (0, 1, 2, 3, 4, 7), "smoke", "tiny", str(data_folder))


def of_cells(grid: Grid) -> set[str]:
    return {run_id for cell in cells_of(grid) for run_id in cell.spec.run_ids(cell.seeds)}


@pytest.mark.parametrize(
    "techniques",
    [
        ("adamw", "ema"),
        ("ensemble:members=2", "ema"),
        ("greedy_soup:members=3", "ensemble:members=2", "adamw"),
        ("ensemble:members=1+llrd",),
    ],
)
def test_cells_have_the_runs_of_their_grid(small: Grid, techniques: tuple[str, ...]) -> None:
    grid = dataclasses.replace(small, techniques=techniques)
    runs = runs_of(grid)
    assert of_cells(grid) == {spec.run_id() for spec in runs}
    assert len({spec.run_id() for spec in runs}) == len(runs)


def test_runs_come_seed_by_seed(small: Grid) -> None:
    found = [(spec.seed, spec.task, spec.technique()) for spec in runs_of(small)]
    cells = [(task, technique) for task in small.tasks for technique in small.techniques]
    assert found == [(seed, *cell) for seed in small.seeds for cell in cells]


def test_a_cell_is_told_by_value_whatever_its_seed(small: Grid) -> None:
    first, second, *_ = cells_of(small)
    assert first.key() == CellRuns(first.spec.at(5), (5,)).key() != second.key()


def test_one_run_of_a_cell_is_checked_unless_its_examples_differ_with_the_seed(small: Grid) -> None:
    assert [spec.seed for spec in one_of_each(cells_of(small))] == [0] * 4
    other = dataclasses.replace(small, techniques=("adamw",), tasks=("sst2",), frozen=((),))
    assert [spec.seed for spec in one_of_each(cells_of(other))] == [*small.seeds]
