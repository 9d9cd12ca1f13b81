"""Jobs in a pool of processes on this machine."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from signal import strsignal
from typing import Any, Generic

from pebble import ProcessExpired, ProcessPool

from bench_lib.errors import require
from bench_lib.executors.base import Done, Failure, J, R, raised
from bench_lib.executors.worker import SingleThreadedContext, call, prepare

_TICK = 1.0


@dataclass(frozen=True)
class LocalExecutor:
    """Runs jobs in worker processes of one thread each, started afresh (spawn) and kept for many jobs.

    Functions, jobs and results must pickle. The time limit is in seconds per attempt, the imports of a worker's first
    job included. A job whose process dies is tried again, `retries` times at most, after the jobs that wait; what
    raises or runs out of time is not. The initializer runs once in each worker. A program that uses this needs its
    `if __name__ == "__main__":`, since workers import its main module.
    """

    workers: int
    time_limit: float | None = None
    retries: int = 2
    initializer: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        require(self.workers >= 1, "number of workers", self.workers, "1 or more")
        limit = self.time_limit
        require(limit is None or limit > 0, "time limit", limit, "seconds above 0, or None for no limit")
        require(self.retries >= 0, "number of retries", self.retries, "0 or more")

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        sweep: _Sweep[J, R] = _Sweep(self, function, jobs)
        try:
            yield from sweep.results()
        finally:
            sweep.stop()


class _Sweep(Generic[J, R]):
    """One call of `run`: the jobs that wait, those under way, and the pool, replaced should it break."""

    def __init__(self, settings: LocalExecutor, function: Callable[[J], R], jobs: Iterable[J]) -> None:
        self.settings = settings
        self.function = function
        self.jobs: Iterator[J] | None = iter(jobs)
        self.error: Exception | None = None
        self.again: deque[tuple[J, int]] = deque()
        self.running: dict[Future[bytes], tuple[J, int]] = {}
        self.pool = self._new_pool()

    def results(self) -> Iterator[Done[J, R]]:
        over = self._fill()
        while self.running or over:
            yield from over
            over = self._collect()
            # Filled before anything is yielded: the workers are busy while the caller deals with what is over.
            over += self._fill()
        if self.error:
            raise self.error

    def stop(self) -> None:
        pool: Any = self.pool  # pebble leaves these two without types
        pool.stop()
        pool.join()

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.settings.workers,
            initializer=prepare,
            initargs=[self.settings.initializer],
            context=SingleThreadedContext(),
        )

    def _fill(self) -> list[Done[J, R]]:
        """Keep as many jobs under way as there are workers, no more: the rest costs nothing to abandon."""
        failed: list[Done[J, R]] = []
        while len(self.running) < self.settings.workers and (found := self._next()):
            job, attempts = found
            try:
                payload = pickle.dumps((self.function, job))
            except Exception as error:
                failed.append(Done(job, None, raised(error), attempts))
            else:
                self.running[self._schedule(payload)] = (job, attempts)
        return failed

    def _next(self) -> tuple[J, int] | None:
        """The next job and which attempt at it this is: a new one, and one whose process died when there are none."""
        if self.jobs is not None:
            try:
                return next(self.jobs), 1
            except StopIteration:
                self.jobs = None
            except Exception as error:
                self.jobs, self.error = None, error
        return self.again.popleft() if self.again else None

    def _schedule(self, payload: bytes) -> Future[bytes]:
        try:
            return self.pool.schedule(call, args=[payload], timeout=self.settings.time_limit)
        except RuntimeError:
            # The pool broke; should a new one not start either, that is the caller's to know.
            self._replace_pool()
            return self.pool.schedule(call, args=[payload], timeout=self.settings.time_limit)

    def _replace_pool(self) -> None:
        self.stop()
        for future in self.running:
            future.cancel()
        self.pool = self._new_pool()

    def _collect(self) -> list[Done[J, R]]:
        wait(self.running, timeout=_TICK, return_when=FIRST_COMPLETED)
        if not self.pool.active:
            self._replace_pool()
        over = []
        for future in [future for future in self.running if future.done()]:
            job, attempts = self.running.pop(future)
            result, failure = _outcome(future)
            if failure and failure.kind == "died" and attempts <= self.settings.retries:
                self.again.append((job, attempts + 1))
            else:
                over.append(Done(job, result, failure, attempts))
        return over


def _outcome(future: Future[bytes]) -> tuple[Any, Failure | None]:
    if future.cancelled():
        return None, Failure("died", "the pool of processes broke")
    error = future.exception()
    if isinstance(error, TimeoutError):
        return None, Failure("timeout", f"no result within {error.args[-1]} s")
    if isinstance(error, (ProcessExpired, BrokenProcessPool)):
        return None, Failure("died", _death(error))
    if error is not None:
        return None, raised(error)
    return _unpickled(future.result())


def _unpickled(reply: bytes) -> tuple[Any, Failure | None]:
    try:
        result, failure = pickle.loads(reply)
    except Exception as error:
        return None, raised(error)
    return result, failure


def _death(error: ProcessExpired | BrokenProcessPool) -> str:
    code = getattr(error, "exitcode", None)
    if code is not None and code < 0:
        return f"the process was ended by signal {-code} ({strsignal(-code)})"
    return f"the process ended unexpectedly: {error if code is None else f'exit code {code}'}"
