"""Jobs in processes on this machine.

Process pools of libraries do not handle every end of a process: pebble ignores exit code 0 and keeps waiting, and the
others give up all jobs when one process dies.
"""

from __future__ import annotations

import atexit
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any, Generic

from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Done, J, R, raised
from bench_lib.executors.devices import least_taken, visible_devices
from bench_lib.executors.mps import served
from bench_lib.executors.process import GRACE, Worker
from bench_lib.executors.waiting import Turn, Waiting, check_limits

_TICK = 1.0
"""Seconds between checks of all workers: the end of one whose children keep its pipe open is not signalled."""


@dataclass(frozen=True)
class LocalExecutor:
    """Runs jobs in worker processes of one thread each, which are reused.

    Functions, jobs and results must pickle. The time limit is in seconds per attempt, including the imports of a
    worker's first job. A job whose process dies is retried after the other jobs, at most `retries` times; exceptions
    and time-outs are not retried. The initializer runs once in each worker, which has the variables of `environment`
    from its start. On Linux without a GPU workers are forked with the module `imports` loaded; elsewhere each of them
    loads what it needs. Where several GPUs are visible, each worker sees one, in turn. A job that asks for it by
    `worker.cramped`, on a GPU that workers share, is tried once more after the other jobs, in a new process and with no
    other of this executor on that GPU. With `mps` a daemon of CUDA MPS serves them from the first job to the last.
    Programs that use this need `if __name__ == "__main__":`, since workers import
    their main module.
    """

    workers: int
    time_limit: float | None = None
    retries: int = 2
    initializer: Callable[[], None] | None = None
    environment: Mapping[str, str] | None = None
    imports: str | None = None
    mps: bool = False

    def __post_init__(self) -> None:
        check_limits(self.workers, self.time_limit, self.retries)

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        with ExitStack() as ends:
            # Also at the exit of a program that did not use all results, since Python waits for its processes.
            atexit.register(ends.close)
            ends.callback(atexit.unregister, ends.close)
            found = {**(self.environment or {}), **ends.enter_context(served())} if self.mps else self.environment
            sweep: _Sweep[J, R] = _Sweep(replace(self, environment=found), function, jobs)
            ends.callback(sweep.stop)
            yield from sweep.results()


class _Sweep(Generic[J, R]):
    """One call of `run`: waiting and running jobs, and idle workers."""

    def __init__(self, settings: LocalExecutor, function: Callable[[J], R], jobs: Iterable[J]) -> None:
        self.settings = settings
        self.function = function
        self.waiting = Waiting(jobs, settings.retries)
        self.running: dict[Worker, Turn[J]] = {}
        self.idle: list[Worker] = []
        self.leaving: list[Worker] = []
        self.devices = visible_devices()

    def results(self) -> Iterator[Done[J, R]]:
        over = self._fill()
        while self.running or over:
            yield from over
            over = self._collect()
            # New jobs start before the results are yielded, so that workers are busy while the caller handles them.
            over += self._fill()
        if self.waiting.error:
            raise self.waiting.error

    def stop(self) -> None:
        """End all workers, even busy ones."""
        workers = [*self.running, *self.idle, *self.leaving]
        self.running, self.idle, self.leaving = {}, [], []
        _end(workers)

    def _fill(self) -> list[Done[J, R]]:
        """Start jobs on all free workers, and no more, so that stopping abandons little."""
        failed: list[Done[J, R]] = []
        while len(self.running) < self.settings.workers and (turn := self.waiting.next()):
            try:
                payload = pickle.dumps((self.function, turn.job))
            except Exception as error:
                failed.append(Done(turn.job, None, raised(error), turn.attempt))
                continue
            worker = self._free_worker(turn.alone)
            if worker is None:
                self.waiting.put_back(turn)
                break
            worker.give(payload, self.settings.time_limit)
            self.running[worker] = turn
        return failed

    def _free_worker(self, alone: bool) -> Worker | None:
        """An idle or new worker; None if no device is free for it, or the machine can start no other process now."""
        # A job alone needs a device that none has, and keeps others away from its own.
        closed = {self._device(worker) for worker, turn in self.running.items() if alone or turn.alone}
        devices = [device for device in self.devices if device not in closed]
        if self.devices and not devices:
            return None
        if alone:
            self._clear(devices[0])
            return self._new_worker(devices[:1])
        while self.idle:
            worker = self.idle.pop()
            if worker.usable():
                return worker
            self._release(worker)
        return self._new_worker(devices)

    def _new_worker(self, devices: Sequence[str]) -> Worker | None:
        taken = [worker.device for worker in (*self.running, *self.idle, *self.leaving)]
        # Nothing is changed where there is no choice.
        device = least_taken(devices, taken) if len(self.devices) > 1 else None
        try:
            return Worker(self.settings.initializer, self.settings.environment, self.settings.imports, device)
        except OSError as error:
            if not self.running:
                raise BenchError(f"no worker process can be started: {error}") from error
            return None

    def _device(self, worker: Worker) -> str | None:
        return worker.device or next(iter(self.devices), None)

    def _clear(self, device: str) -> None:
        """End the workers of a device that have no job, since even these hold memory of it."""
        here = [worker for worker in (*self.idle, *self.leaving) if self._device(worker) == device]
        self.idle = [worker for worker in self.idle if worker not in here]
        self.leaving = [worker for worker in self.leaving if worker not in here]
        _end(here)

    def _collect(self) -> list[Done[J, R]]:
        self._wait()
        over: list[Done[J, R]] = []
        for worker in [*self.running]:
            outcome = worker.outcome()
            if outcome is None:
                continue
            turn = self.running.pop(worker)
            self._release(worker)
            shared = 0 < len(self.devices) < self.settings.workers
            over += self.waiting.ended(turn, outcome, shared)
        self.leaving = [worker for worker in self.leaving if not worker.gone()]
        return over

    def _wait(self) -> None:
        """Wait until a worker sends something, ends, or is out of time; return at once if none has a job."""
        if not self.running:
            return
        signs: list[Any] = [sign for worker in self.running for sign in (worker.pipe, worker.process.sentinel)]
        ends = [worker.deadline - time.monotonic() for worker in (*self.running, *self.leaving)]
        wait(signs, max(0.0, min([_TICK, *ends])))

    def _release(self, worker: Worker) -> None:
        if worker.usable():
            self.idle.append(worker)
        else:
            worker.dismiss()
            self.leaving.append(worker)


def _end(workers: Sequence[Worker]) -> None:
    """End processes, and return when they are gone."""
    for worker in workers:
        worker.process.terminate()
        worker.dismiss()
    end = time.monotonic() + GRACE
    for worker in workers:
        if worker.end_by(end) is None:
            worker.process.kill()
            worker.process.join()
