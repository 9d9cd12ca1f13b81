"""Jobs in this process, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench_lib.executors.base import Done, J, R, attempt


@dataclass(frozen=True)
class InlineExecutor:
    """Runs each job when its result is requested; `KeyboardInterrupt` is not caught.

    There is no time limit, since a process cannot stop its own native code. A job that kills the process ends all jobs.
    """

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        return (Done(job, *attempt(function, job)) for job in jobs)
