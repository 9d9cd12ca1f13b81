"""What runs jobs: a function and its arguments in, results or failures out, in the order in which they complete."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from bench_lib.core.errors import BenchError, shortened

J = TypeVar("J")
R = TypeVar("R")

_FRAMES = 5
_CHARACTERS = 2000


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result: it ran out of time, its process died, or it raised."""

    kind: Literal["timeout", "died", "raised"]
    message: str


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """A job that is over: its result, or None and the failure of its last attempt."""

    job: J
    result: R | None
    failure: Failure | None = None
    attempts: int = 1


class Executor(Protocol):
    """Something that runs jobs; it knows nothing of what they are."""

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        """Run the function on every job and yield each once, as it completes; closing the iterator stops the rest.

        The next job is asked for when it can start at once and no earlier, but maybe before the last results were
        handed out; nothing is collected while the jobs keep one waiting. Jobs that raise an `Exception` end the run:
        what they gave before is yielded, and then it is raised.
        """
        ...


def results(executor: Executor, function: Callable[[J], R], jobs: Sequence[J]) -> list[R]:
    """What the function makes of each job, in the order of the jobs; raises `BenchError` for one that failed."""
    places = {id(job): place for place, job in enumerate(jobs)}
    found: dict[int, R] = {}
    for done in executor.run(function, jobs):
        if done.failure is not None or done.result is None:
            raise BenchError(f"a job of {len(jobs)} gave no result: {done.failure and done.failure.message}")
        found[places[id(done.job)]] = done.result
    return [found[place] for place in range(len(jobs))]


def attempt(function: Callable[[J], R], job: J) -> tuple[R | None, Failure | None]:
    """Call the function; what it raises, `sys.exit` included, becomes a failure."""
    try:
        return function(job), None
    except (Exception, SystemExit) as error:
        return None, raised(error)


def raised(error: BaseException) -> Failure:
    """An exception as a failure, with the last frames of its traceback."""
    trace = error.__traceback__
    # Without the executor's own frames, so that a failure reads the same whichever executor ran the job.
    while trace and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace, limit=-_FRAMES)
    return Failure("raised", shortened("".join(lines).strip(), _CHARACTERS))
