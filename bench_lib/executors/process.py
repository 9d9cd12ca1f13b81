"""Worker processes on the side of the parent: start, jobs, outcomes, time limits and end."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from multiprocessing import Pipe, get_context, resource_tracker
from multiprocessing.process import BaseProcess

from bench_lib.executors.base import Failure, Outcome, raised
from bench_lib.executors.devices import VARIABLE
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

FORKS = sys.platform == "linux" and not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd")))
"""Whether processes may be forked from one that has imported libraries.

Not with a GPU, since a process that asked for it may not fork, nor on other systems, whose libraries may not either.
"""

UNREAD = {"PYTEST_CURRENT_TEST"}
"""Variables that no library reads."""

_starting = threading.Lock()
_imported: list[tuple[str, dict[str, str]]] = []
"""The module that the process imported from which others are forked, if there is one, and the variables it found."""


def start(
    target: Callable[..., None],
    args: tuple[object, ...],
    environment: Mapping[str, str] | None = None,
    imports: str | None = None,
) -> BaseProcess:
    """Start a process with the variables of workers and others, and with interrupts blocked until it ignores them.

    The parent sets the variables: the process imports the main module first, and with it possibly libraries that read
    them. Where possible it is forked from a process that imported the module `imports` under the same variables.
    """
    if hasattr(signal, "pthread_sigmask"):
        # Where it starts it unblocks interrupts: before the first process, and with the mask put back.
        with _starting, without_interrupts(), variables(ENVIRONMENT):
            resource_tracker.ensure_running()
    with _starting, without_interrupts(), variables({**(environment or {}), **ENVIRONMENT}):
        if FORKS and imports is not None and not environment and _imported_alike(imports):
            context = get_context("forkserver")
            context.set_forkserver_preload([imports])
            forked = context.Process(target=target, args=args)
            # It may be impossible, as where the path of its socket would be too long.
            with suppress(OSError, EOFError):
                forked.start()
                return forked
        process = get_context("spawn").Process(target=target, args=args)
        process.start()
        return process


def _imported_alike(module: str) -> bool:
    """Whether the process to fork from has this module and the present variables; true if there is none as yet."""
    present = module, {name: value for name, value in os.environ.items() if name not in UNREAD}
    if not _imported:
        _imported.append(present)
    return _imported == [present]


class Worker:
    """A worker process with its own pipe, so that its end affects no other; it sees one device if that is given.

    Raises `OSError` if no process can be started.
    """

    def __init__(
        self,
        initializer: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
        imports: str | None = None,
        device: str | None = None,
    ) -> None:
        self.device = device
        if device is not None:
            environment = {**(environment or {}), VARIABLE: device}
        self.pipe, other = Pipe()
        self.ready = self.retired = False
        self.payload, self.limit, self.deadline = b"", inf, inf
        try:
            self.process = start(serve, (other, initializer), environment, imports)
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
                    return unpickled(self.pipe.recv_bytes())
                self.ready = True
                self.deadline = time.monotonic() + self.limit
                self._send()
        except (EOFError, OSError):
            ended = True
        if ended:
            return Outcome(None, self._death())
        if time.monotonic() > self.deadline:
            self.retired = True
            self.process.terminate()
            return Outcome(None, Failure("timeout", f"no result within {self.limit} s"))
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


def unpickled(reply: bytes) -> Outcome:
    """The outcome of a pickled one; its errors are failures of the job."""
    try:
        return Outcome(*pickle.loads(reply))
    except Exception as error:
        return Outcome(None, raised(error))


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Block interrupts of this thread and of processes that it starts; without effect on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Environment variables with these values in place of their own."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
