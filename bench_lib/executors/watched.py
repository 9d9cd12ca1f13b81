"""An executor that reports the start and the end of its jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench_lib.executors.base import Done, Executor, J, R


@dataclass(frozen=True)
class Watched:
    """Wraps an executor, and calls `started` with each job that starts and `ended` with each that is done.

    A retried job does not end in between.
    """

    executor: Executor
    started: Callable[[Any], None]
    ended: Callable[[Any], None]

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        for done in self.executor.run(function, self._announced(jobs)):
            self.ended(done.job)
            yield done

    def _announced(self, jobs: Iterable[J]) -> Iterator[J]:
        for job in jobs:
            self.started(job)
            yield job
