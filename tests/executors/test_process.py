from __future__ import annotations

import os
import pickle
import signal
import time
from types import ModuleType

import pytest

from bench_lib.executors import process


def test_starting_a_process_leaves_the_environment_as_it_was(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    started = process.WorkerContext().Process(target=jobs.square, args=(2,))
    started.start()
    assert dict(os.environ) == before
    started.join()
    assert started.exitcode == 0


def test_a_process_that_starts_does_not_hear_an_interrupt(jobs: ModuleType) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    started = process.WorkerContext().Process(target=jobs.nap, args=(0.0,))
    started.start()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    os.kill(started.pid or 0, signal.SIGINT)
    started.join()
    assert started.exitcode == 0


def test_a_worker_ignores_an_interrupt_and_its_own_processes_do_not(jobs: ModuleType) -> None:
    worker = process.Worker(None)
    worker.give(pickle.dumps((jobs.interrupted, 0)), None)
    while (outcome := worker.outcome()) is None:
        time.sleep(0.01)
    assert outcome == (set(), None)
    worker.dismiss()
    assert worker.end_by(time.monotonic() + 30) == 0
    assert worker.gone()
