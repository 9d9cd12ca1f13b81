"""The interface of executors: a function and jobs in, results or failures out, in order of completion."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from bench_lib.core.errors import BenchError, shortened

J = TypeVar("J")
R = TypeVar("R")

_FRAMES = 5
_CHARACTERS = 2000


@dataclass(frozen=True)
class Failure:
    """The reason of a failed job: a time-out, the death of its process, or an exception."""

    kind: Literal["timeout", "died", "raised"]
    message: str


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """A finished job: its result, or None and the failure of its last attempt."""

    job: J
    result: R | None
    failure: Failure | None = None
    attempts: int = 1


class Outcome(NamedTuple):
    """What an attempt came to: a result or a failure, and whether the job asks for one more with its device alone."""

    result: Any
    failure: Failure | None
    cramped: bool = False


class Executor(Protocol):
    """Runs jobs of any kind."""

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        """Run the function on every job and yield each once, as it completes; closing the iterator stops the rest.

        A job is taken from `jobs` only when it can start at once, possibly before the latest results are yielded; no
        result is collected while `jobs` blocks. If `jobs` raises an `Exception`, the remaining results are yielded
        before it is raised.
        """
        ...


@runtime_checkable
class Detached(Executor, Protocol):
    """An executor that gives whole shards of the work to jobs which outlive this process, and keep their own results.

    `runs_per_job` is the size of a shard, `at_a_time` the number of jobs that may run together, `tick` the seconds
    between two looks at them, and `beside` the folder with which submissions are kept where that is not the store's. A
    job is known by its name on the cluster and the folder of its submission.
    """

    @property
    def runs_per_job(self) -> int: ...

    @property
    def at_a_time(self) -> int: ...

    @property
    def tick(self) -> float: ...

    @property
    def beside(self) -> Path | None: ...

    def inside(self) -> Executor:
        """The executor that makes the runs of a job, where the job is."""
        ...

    def room(self, living: int) -> int:
        """How many more jobs may be submitted where so many are waiting or running."""
        ...

    def submit(self, folder: Path, function: Callable[[Any], None], calls: Sequence[object], limit: int) -> list[str]:
        """Submit a job for each of these arguments of the function, at most `limit` at a time; returns their names."""
        ...

    def living(self, folder: Path, jobs: Sequence[str]) -> frozenset[str]:
        """Those of the jobs that wait or run."""
        ...

    def raised(self, folder: Path, job: str) -> Failure | None:
        """Why a job that lives no more did not come to its end: what it raised, or that it died."""
        ...

    def how_to_stop(self, jobs: Sequence[str]) -> str:
        """The command that ends jobs."""
        ...


def results(executor: Executor, function: Callable[[J], R], jobs: Iterable[J]) -> list[R]:
    """The results in the order of the jobs, each of which is held until it is done; `BenchError` for a failed job."""
    numbers = count()
    places: dict[int, int] = {}
    found: dict[int, R] = {}

    def numbered() -> Iterator[J]:
        for job in jobs:
            places[id(job)] = next(numbers)
            yield job

    for done in executor.run(function, numbered()):
        if done.failure is not None or done.result is None:
            raise BenchError(f"a job gave no result: {done.failure and done.failure.message}")
        found[places.pop(id(done.job))] = done.result
    return [found[place] for place in range(next(numbers))]


def attempt(function: Callable[[J], R], job: J) -> tuple[R | None, Failure | None]:
    """Call the function; an exception, including `SystemExit`, becomes a failure."""
    try:
        return function(job), None
    except (Exception, SystemExit) as error:
        return None, raised(error)


def raised(error: BaseException) -> Failure:
    """An exception as a failure, with the last frames of its traceback."""
    trace = error.__traceback__
    # Without the frames of executors, so that the message is the same for all of them.
    while trace and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace, limit=-_FRAMES)
    return Failure("raised", shortened("".join(lines).strip(), _CHARACTERS))
