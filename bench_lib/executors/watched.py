"""An executor that tells what is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench_lib.executors.base import Done, Executor, J, R


@dataclass(frozen=True)
class Watched:
    """Runs jobs as another executor does and calls `started` with each when it is handed out, `ended` when it is over.

    A job that is tried again is under way all the while.
    """

    executor: Executor
    started: Callable[[Any], None]
    ended: Callable[[Any], None]

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        for done in self.executor.run(function, self._told(jobs)):
            self.ended(done.job)
            yield done

    def _told(self, jobs: Iterable[J]) -> Iterator[J]:
        for job in jobs:
            self.started(job)
            yield job
