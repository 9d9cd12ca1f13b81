"""A sweep: the grid as specs, minus what is stored, over an executor, into the store."""

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
    """Run what the store does not hold and append every record as it comes; `retry` names statuses to attempt again.

    Killed at any time, the same call goes on with what is missing. Several processes may run one grid into one store:
    each run is made by one of them.
    """
    return sweep(plan(grid), store, executor, report, retry)
