"""Run a grid: plan it, skip stored runs, and store the rest as an executor returns them."""

from __future__ import annotations

from collections.abc import Callable

from bench_lib.core.record import Status
from bench_lib.executors.base import Executor
from bench_lib.runner.grid import Grid, all_tasks, all_techniques, named, plan
from bench_lib.runner.sweep import Group, Progress, grouped, sweep
from bench_lib.store import Store

__all__ = ["Grid", "Group", "Progress", "all_tasks", "all_techniques", "grouped", "named", "plan", "run_suite"]


def run_suite(
    grid: Grid,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    retry: frozenset[Status] = frozenset(),
) -> Progress:
    """Run what is not stored and append each record when it is complete; stored runs with a `retry` status run again.

    After an interruption the same call resumes with the missing runs. Several processes may share a grid and a store;
    each run is executed by one of them.
    """
    return sweep(plan(grid), store, executor, report, retry)
