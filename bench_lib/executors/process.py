"""A worker process as its parent sees it: it is given a job, looked at until there is an outcome, and sent away."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from bench_lib.executors.base import Failure, raised
from bench_lib.executors.worker import READY, RETIRED, serve

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
ENVIRONMENT = {**THREADS, "PYTHONSAFEPATH": "1"}
"""One thread for every numeric library, and no module from the working directory in place of Python's own."""

GRACE = 3.0
"""Seconds that a process has to end by itself before it is killed."""
START = 600.0
"""Seconds that a process has to become ready, at least: on a busy machine that takes longer than a short job."""

_BRIEFLY = 0.01

_FITS = 16_384
"""Bytes that any pipe holds: more are sent only once somebody reads, since a process that starts may never do so."""

Outcome = tuple[Any, Failure | None]

_environment = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A process with the environment of workers, which does not hear Ctrl-C before it can decide not to.

    The libraries read the environment when they are loaded, and the child may load them before it runs any code of
    ours: it imports the main module of its parent first. Python itself reads it before it imports anything.
    """

    def start(self) -> None:
        with _environment, _without_interrupts():
            before = {name: os.environ.get(name) for name in ENVIRONMENT}
            os.environ.update(ENVIRONMENT)
            try:
                super().start()
            finally:
                for name, value in before.items():
                    _restore(name, value)


class WorkerContext(SpawnContext):
    """The spawn context with such processes."""

    Process = WorkerProcess


class Worker:
    """A worker process with a pipe of its own, so that whatever ends it ends nothing else.

    Raises `OSError` if no process can be started.
    """

    def __init__(self, initializer: Callable[[], None] | None) -> None:
        context = WorkerContext()
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, initializer))
        self.ready = self.retired = False
        self.payload, self.limit, self.deadline = b"", inf, inf
        try:
            self.process.start()
        finally:
            # The only copy is the process's then: the pipe ends when it does.
            other.close()

    def give(self, payload: bytes, limit: float | None) -> None:
        """Have it run a pickled (function, job), in that many seconds from when it is ready."""
        self.payload, self.limit = payload, inf if limit is None else limit
        self.deadline = time.monotonic() + (self.limit if self.ready else max(self.limit, START))
        if self.ready or len(payload) <= _FITS:
            self._send()

    def outcome(self) -> Outcome | None:
        """What came of the job that it was given last, or None while that is under way; what must not go on is ended.

        A process that ended with a result sent has given it, whatever the exit code; without one, none is a success.
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
        """Whether it can be given another job: it lives, is not retired, and has nothing more to say of the last."""
        return not self.retired and self.process.exitcode is None and not self.pipe.poll()

    def dismiss(self) -> None:
        """Let it go: it ends by itself, or is killed if `gone` finds it alive after the grace period."""
        self.pipe.close()
        self.deadline = time.monotonic() + GRACE

    def gone(self) -> bool:
        """Whether a process that was dismissed has ended."""
        if self.process.exitcode is None and time.monotonic() > self.deadline:
            self.process.kill()
        return self.process.exitcode is not None

    def end_by(self, deadline: float) -> int | None:
        """Wait for the end of the process: its exit code, or None if it is alive at the deadline."""
        # `join` with a time-out waits for ever where the process closed what it was given to tell of its end.
        while self.process.exitcode is None and time.monotonic() < deadline:
            time.sleep(_BRIEFLY)
        return self.process.exitcode

    def _send(self) -> None:
        payload, self.payload = self.payload, b""
        if payload:
            # A pipe that broke is found by the next look.
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
    """Processes that are started inherit that this thread's interrupts wait; on Windows there is no such thing."""
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
