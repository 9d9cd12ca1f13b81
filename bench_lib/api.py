"""The suite from Python: run a grid, load results, summarise and compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench_lib.executors.base import Executor
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report.analysis.dominance import dominance
from bench_lib.report.analysis.summary import cells, compare
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.store import Store

__all__ = ["Grid", "compare", "dominance", "load", "run", "summarise"]


def run(
    grid: Grid,
    store: str | Path,
    executor: Executor | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> pd.DataFrame:
    """Run what the store does not hold of a grid and give the results of the whole store, one row a run."""
    run_suite(grid, Store(Path(store)), executor or InlineExecutor(), report)
    return load(store)


def load(store: str | Path) -> pd.DataFrame:
    """The results of a store, one row a run."""
    return Store(Path(store)).frame()


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: failure rate, spread, worst case, mean and cost."""
    return cells(runs)
