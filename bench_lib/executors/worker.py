"""The main loop of a worker process, which receives jobs and sends results through a pipe."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection

from bench_lib.executors.base import Failure, Outcome, attempt, raised

READY, REUSABLE, RETIRED = b"ready", b"reusable", b"retired"
"""Messages of a worker: at its start, and before each reply whether it accepts another job."""

_unprepared: Failure | None = None
_retired = False
_cramped = False


def cramped() -> None:
    """Have the current job run once more with its device for itself, where several share it; else without effect."""
    global _cramped
    _cramped = True


def retire() -> None:
    """Have this worker process replaced after its current job; without effect in other processes."""
    global _retired
    _retired = True


def is_retired() -> bool:
    """Whether this process is to be replaced after its current job."""
    return _retired


def serve(pipe: Connection, initializer: Callable[[], None] | None) -> None:
    """Run jobs from the pipe until it is closed, the parent ends or this process is retired."""
    # The terminal sends Ctrl-C to all processes; the parent decides what happens to the jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        try:
            _serve(pipe, initializer)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    finally:
        # A forked process ends without this. No signal breaks it off, nor skips it by coming before the one above.
        atexit._run_exitfuncs()


def _serve(pipe: Connection, initializer: Callable[[], None] | None) -> None:
    own, state = os.getpid(), READY
    prepare(initializer)
    with suppress(EOFError, OSError):
        pipe.send_bytes(state)
        while state != RETIRED:
            reply = call(pipe.recv_bytes())
            if os.getpid() != own:
                os._exit(1)  # the child of a job that forked
            state = RETIRED if _retired else REUSABLE
            pipe.send_bytes(state)
            pipe.send_bytes(reply)


def prepare(initializer: Callable[[], None] | None) -> None:
    """Prepare to end with the parent, and run the initializer; if it fails, every job fails with its failure."""
    global _unprepared
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        _, _unprepared = attempt(lambda start: start(), initializer)


def call(payload: bytes) -> bytes:
    """Run a pickled (function, job), and return a pickled `Outcome`.

    Pickling is done here, so that its errors are failures of the job and not of the worker.
    """
    global _cramped
    _cramped = False
    result, failure = (None, _unprepared) if _unprepared else attempt(_call, payload)
    try:
        return pickle.dumps(Outcome(result, failure, _cramped))
    except Exception as error:
        return pickle.dumps(Outcome(None, raised(error)))


def _call(payload: bytes) -> object:
    function, job = pickle.loads(payload)
    return function(job)


def _leave(number: int, _: object) -> None:
    """End by an exception, so that temporary files are removed; the parent kills a process that takes too long."""
    retire()
    sys.exit(128 + number)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
