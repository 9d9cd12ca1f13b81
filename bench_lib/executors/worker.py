"""The side of a worker process: one thread for the numeric libraries, no orphans, nothing that fails to pickle."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess

from bench_lib.executors.base import Failure, attempt, raised

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")

_environment = threading.Lock()
_unprepared: Failure | None = None


class SingleThreadedProcess(SpawnProcess):
    """A process that starts with one thread allowed to every numeric library.

    The libraries read the environment when they are loaded, and the child may load them before it runs any code of
    ours: it imports the main module of its parent first.
    """

    def start(self) -> None:
        with _environment:
            before = {name: os.environ.get(name) for name in THREADS}
            os.environ.update(THREADS)
            try:
                super().start()
            finally:
                for name, value in before.items():
                    _restore(name, value)


class SingleThreadedContext(SpawnContext):
    """The spawn context with such processes."""

    Process = SingleThreadedProcess


def prepare(initializer: Callable[[], None] | None) -> None:
    """Begin a worker: end it with its parent, and run the initializer, whose failure becomes that of every job."""
    global _unprepared
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        _, _unprepared = attempt(lambda start: start(), initializer)


def call(payload: bytes) -> bytes:
    """Run a pickled (function, job), giving a pickled (result, failure).

    Bytes both ways: whatever does not pickle, or not unpickle, is then a failure of its job and not of the pool, and
    modules are imported while no lock of the pool is held.
    """
    result, failure = (None, _unprepared) if _unprepared else attempt(_call, payload)
    try:
        return pickle.dumps((result, failure))
    except Exception as error:
        return pickle.dumps((None, raised(error)))


def _call(payload: bytes) -> object:
    function, job = pickle.loads(payload)
    return function(job)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
