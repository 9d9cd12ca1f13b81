"""The registry of executors: ways to run jobs, one after another in this process or in worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable

from bench_lib.core.errors import BadValue, require
from bench_lib.core.registry import Registry
from bench_lib.executors.base import Done, Executor, Failure
from bench_lib.executors.inline import InlineExecutor
from bench_lib.executors.local import LocalExecutor

__all__ = ["EXECUTORS", "Done", "Executor", "Failure", "InlineExecutor", "LocalExecutor"]

MOST_WORKERS = 1_024
A_DAY = 86_400.0
"""Seconds. Nothing hangs for ever."""

MakeExecutor = Callable[[int | None, float | None], Executor]
"""Makes an executor of a number of workers and a limit in seconds per attempt; None where the user gives none."""


def make_inline(workers: int | None, time_limit: float | None) -> InlineExecutor:
    """The executor of this process, which takes neither setting: a process cannot end its own run."""
    for name, value in (("workers", workers), ("time limit", time_limit)):
        if value is not None:
            raise BadValue(f"{name} of the executor inline", value, "none; the executor local takes it")
    return InlineExecutor()


def make_local(workers: int | None, time_limit: float | None) -> LocalExecutor:
    """Worker processes on this machine: by default one for each core, and a day for each attempt."""
    count = (os.cpu_count() or 1) if workers is None else workers
    require(count <= MOST_WORKERS, "number of workers", count, f"1 or more, up to {MOST_WORKERS:,}")
    return LocalExecutor(count, A_DAY if time_limit is None else time_limit, imports="bench_lib.executors.libraries")


EXECUTORS: Registry[MakeExecutor] = Registry("executor", "stabbench.executors")
EXECUTORS.add("inline", make_inline)
EXECUTORS.add("local", make_local)
