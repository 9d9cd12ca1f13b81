"""The jobs of one call of an executor that are still to be started: new ones first, then those to try again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from bench_lib.core.errors import require
from bench_lib.executors.base import Done, J, Outcome, R


class Turn(NamedTuple, Generic[J]):
    """A job with the number of its attempt, and whether that is to have its device for itself."""

    job: J
    attempt: int = 1
    alone: bool = False


@dataclass
class Waiting(Generic[J]):
    """Jobs in turn; `error` is what the iterable of the jobs raised, if it did."""

    jobs: Iterable[J]
    retries: int
    error: Exception | None = None
    _new: Iterator[J] | None = field(init=False)
    _again: deque[Turn[J]] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self._new = iter(self.jobs)

    def __bool__(self) -> bool:
        """Whether there may be a job: whether the iterable has another is known when it is asked."""
        return self._new is not None or bool(self._again)

    def next(self) -> Turn[J] | None:
        """The next job: a new one, or if there is none, one to try again."""
        if self._new is not None:
            try:
                return Turn(next(self._new))
            except StopIteration:
                self._new = None
            except Exception as error:
                self._new, self.error = None, error
        return self._again.popleft() if self._again else None

    def put_back(self, turn: Turn[J]) -> None:
        """Take back a job that could not be started; it comes first of those to try again."""
        self._again.appendleft(turn)

    def ended(self, turn: Turn[J], outcome: Outcome, shared: bool = False) -> list[Done[J, R]]:
        """The finished job; nothing where it is to be tried again.

        That is where its process died, and once where it asks for the device that it shared with others.
        """
        job, attempt, alone = turn
        died = outcome.failure is not None and outcome.failure.kind == "died"
        asks = outcome.cramped and shared and not alone
        if asks or (died and attempt <= self.retries):
            self._again.append(Turn(job, attempt + 1, alone or asks))
            return []
        return [Done(job, outcome.result, outcome.failure, attempt)]


def check_limits(workers: int | None, time_limit: float | None, retries: int) -> None:
    """Raise `BadValue` for limits that no executor can keep."""
    require(workers is None or workers >= 1, "number of workers", workers, "1 or more")
    require(time_limit is None or time_limit > 0, "time limit", time_limit, "seconds above 0, or None for no limit")
    require(retries >= 0, "number of retries", retries, "0 or more")
