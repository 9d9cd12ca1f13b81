"""The side of a worker process: jobs through a pipe, no orphans, nothing that fails to pickle."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection

from bench_lib.executors.base import Failure, attempt, raised

READY, KEPT, RETIRED = b"ready", b"kept", b"retired"
"""Messages of a worker: that it can take a job; and before each reply, whether it takes another one."""

_unprepared: Failure | None = None
_retired = False


def retire() -> None:
    """Have this worker process replaced once the job under way has given its result; elsewhere nothing happens."""
    global _retired
    _retired = True


def serve(pipe: Connection, initializer: Callable[[], None] | None) -> None:
    """Run what comes through the pipe until it is closed, the parent ends or this process is retired."""
    # The terminal sends Ctrl-C to all processes; what becomes of the jobs is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    own, said = os.getpid(), READY
    prepare(initializer)
    with suppress(EOFError, OSError):
        pipe.send_bytes(said)
        while said != RETIRED:
            reply = call(pipe.recv_bytes())
            if os.getpid() != own:
                os._exit(1)  # a job that forked: the copy has no say
            said = RETIRED if _retired else KEPT
            pipe.send_bytes(said)
            pipe.send_bytes(reply)


def prepare(initializer: Callable[[], None] | None) -> None:
    """Begin a worker: end it with its parent, and run the initializer, whose failure becomes that of every job."""
    global _unprepared
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        _, _unprepared = attempt(lambda start: start(), initializer)


def call(payload: bytes) -> bytes:
    """Run a pickled (function, job), giving a pickled (result, failure).

    Bytes both ways: whatever does not pickle, or not unpickle, is then a failure of its job and not of the worker.
    """
    result, failure = (None, _unprepared) if _unprepared else attempt(_call, payload)
    try:
        return pickle.dumps((result, failure))
    except Exception as error:
        return pickle.dumps((None, raised(error)))


def _call(payload: bytes) -> object:
    function, job = pickle.loads(payload)
    return function(job)


def _leave(number: int, _: object) -> None:
    """End by unwinding, so that temporary files go; the parent kills what takes too long."""
    retire()
    sys.exit(128 + number)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
