"""Worker processes on the side of the parent: start, jobs, outcomes, time limits and end."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from bench_lib.executors.base import Failure, raised
from bench_lib.executors.worker import READY, RETIRED, serve

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
ENVIRONMENT = {**THREADS, "PYTHONSAFEPATH": "1"}
"""One thread per numeric library, and no modules of the working directory in place of Python's own."""

GRACE = 3.0
"""Seconds in which a process can end by itself before it is killed."""

START = 600.0
"""Minimum seconds in which a process can start: on a busy machine this takes longer than a short job."""

_BRIEFLY = 0.01

_FITS = 16_384
"""Bytes that fit into any pipe; larger payloads are sent when the worker is ready, since it may never read."""

Outcome = tuple[Any, Failure | None]

_environment = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A process with the environment of workers, and with interrupts blocked until it ignores them.

    The environment is set by the parent: the child imports the main module first, and with it possibly libraries that
    read the environment. `environment` has variables of this process beside those of all workers.
    """

    environment: Mapping[str, str] = {}

    def start(self) -> None:
        with _environment, _without_interrupts():
            wanted = {**self.environment, **ENVIRONMENT}
            before = {name: os.environ.get(name) for name in wanted}
            os.environ.update(wanted)
            try:
                super().start()
            finally:
                for name, value in before.items():
                    _restore(name, value)


class WorkerContext(SpawnContext):
    """The spawn context with `WorkerProcess`."""

    Process = WorkerProcess


class Worker:
    """A worker process with its own pipe, so that its end affects no other.

    Raises `OSError` if no process can be started.
    """

    def __init__(self, initializer: Callable[[], None] | None, environment: Mapping[str, str] | None = None) -> None:
        context = WorkerContext()
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, initializer))
        self.process.environment = environment or {}
        self.ready = self.retired = False
        self.payload, self.limit, self.deadline = b"", inf, inf
        try:
            self.process.start()
        finally:
            # Then only the process has this end, and the pipe closes when it ends.
            other.close()

    def give(self, payload: bytes, limit: float | None) -> None:
        """Send a pickled (function, job); the limit in seconds counts from when the worker is ready."""
        self.payload, self.limit = payload, inf if limit is None else limit
        self.deadline = time.monotonic() + (self.limit if self.ready else max(self.limit, START))
        if self.ready or len(payload) <= _FITS:
            self._send()

    def outcome(self) -> Outcome | None:
        """The outcome of the last job, or None while it runs; ends the process if it is out of time.

        A result that was sent counts, whatever the exit code; without a result every exit code is a failure.
        """
        ended = self.process.exitcode is not None
        try:
            while self.pipe.poll():
                message = self.pipe.recv_bytes()
                if message != READY:
                    self.retired = message == RETIRED
                    return _unpickled(self.pipe.recv_bytes())
                self.ready = True
                self.deadline = time.monotonic() + self.limit
                self._send()
        except (EOFError, OSError):
            ended = True
        if ended:
            return None, self._death()
        if time.monotonic() > self.deadline:
            self.retired = True
            self.process.terminate()
            return None, Failure("timeout", f"no result within {self.limit} s")
        return None

    def usable(self) -> bool:
        """Whether it can take another job: it is alive, not retired, and has sent nothing more."""
        return not self.retired and self.process.exitcode is None and not self.pipe.poll()

    def dismiss(self) -> None:
        """Close the pipe, so that it ends by itself; `gone` kills it after the grace period."""
        self.pipe.close()
        self.deadline = time.monotonic() + GRACE

    def gone(self) -> bool:
        """Whether a dismissed process has ended."""
        if self.process.exitcode is None and time.monotonic() > self.deadline:
            self.process.kill()
        return self.process.exitcode is not None

    def end_by(self, deadline: float) -> int | None:
        """Wait for the end of the process, and return its exit code; None if it is alive at the deadline."""
        # `join` with a time-out waits for ever if the process closed the pipe that signals its end.
        while self.process.exitcode is None and time.monotonic() < deadline:
            time.sleep(_BRIEFLY)
        return self.process.exitcode

    def _send(self) -> None:
        payload, self.payload = self.payload, b""
        if payload:
            # The next call of `outcome` notices a broken pipe.
            with suppress(OSError):
                self.pipe.send_bytes(payload)

    def _death(self) -> Failure:
        self.retired = True
        code = self.end_by(time.monotonic() + GRACE)
        if code is None:
            self.process.kill()
            return Failure("died", "the process closed its pipe and was ended")
        if code < 0:
            return Failure("died", f"the process was ended by signal {-code} ({signal.strsignal(-code)})")
        return Failure("died", f"the process ended unexpectedly: exit code {code}")


def _unpickled(reply: bytes) -> Outcome:
    try:
        result, failure = pickle.loads(reply)
    except Exception as error:
        return None, raised(error)
    return result, failure


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block interrupts of this thread and of processes that it starts; without effect on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
