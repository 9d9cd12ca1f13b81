"""The jobs of one call of an executor that are still to be started: new ones first, then those to try again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic

from bench_lib.core.errors import require
from bench_lib.executors.base import Done, Failure, J, R


@dataclass
class Waiting(Generic[J]):
    """Jobs, each with the number of its attempt; `error` is what the iterable of the jobs raised, if it did."""

    jobs: Iterable[J]
    retries: int
    error: Exception | None = None
    _new: Iterator[J] | None = field(init=False)
    _again: deque[tuple[J, int]] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self._new = iter(self.jobs)

    def __bool__(self) -> bool:
        """Whether there may be a job: whether the iterable has another is known when it is asked."""
        return self._new is not None or bool(self._again)

    def next(self) -> tuple[J, int] | None:
        """The next job with the number of its attempt: a new one, or if there is none, one whose process died."""
        if self._new is not None:
            try:
                return next(self._new), 1
            except StopIteration:
                self._new = None
            except Exception as error:
                self._new, self.error = None, error
        return self._again.popleft() if self._again else None

    def put_back(self, job: J, attempt: int) -> None:
        """Take back a job that could not be started; it comes first of those to try again."""
        self._again.appendleft((job, attempt))

    def ended(self, job: J, attempt: int, result: R | None, failure: Failure | None) -> list[Done[J, R]]:
        """The finished job; nothing where its process died and it is to be tried again."""
        if failure and failure.kind == "died" and attempt <= self.retries:
            self._again.append((job, attempt + 1))
            return []
        return [Done(job, result, failure, attempt)]


def check_limits(workers: int | None, time_limit: float | None, retries: int) -> None:
    """Raise `BadValue` for limits that no executor can keep."""
    require(workers is None or workers >= 1, "number of workers", workers, "1 or more")
    require(time_limit is None or time_limit > 0, "time limit", time_limit, "seconds above 0, or None for no limit")
    require(retries >= 0, "number of retries", retries, "0 or more")
