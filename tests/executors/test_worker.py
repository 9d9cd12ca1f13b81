from __future__ import annotations

import pickle
from types import ModuleType

import pytest

from bench_lib.executors import worker


def _failure(reply: bytes) -> str:
    result, failure, _ = pickle.loads(reply)
    assert result is None
    assert failure.kind == "raised"
    return str(failure.message)


def test_a_call_goes_through_bytes(jobs: ModuleType) -> None:
    assert pickle.loads(worker.call(pickle.dumps((jobs.square, 4)))) == (16, None, False)


def test_what_raises_comes_back_as_text(jobs: ModuleType) -> None:
    assert _failure(worker.call(pickle.dumps((jobs.raise_picky, "fly")))).endswith("PickyError: fly in the soup")


def test_a_result_that_does_not_pickle_is_a_failure(jobs: ModuleType) -> None:
    assert "local_function" in _failure(worker.call(pickle.dumps((jobs.local_function, 0))))


def test_a_function_that_cannot_be_found_is_a_failure(jobs: ModuleType) -> None:
    payload = pickle.dumps((jobs.square, 4)).replace(b"local_jobs", b"local_joke")
    assert "No module named 'local_joke'" in _failure(worker.call(payload))


def test_a_failed_initializer_fails_every_job(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_unprepared", None)
    worker.prepare(jobs.bad_initialise)
    for number in (1, 2):
        assert "nothing to initialise with" in _failure(worker.call(pickle.dumps((jobs.square, number))))


def test_a_job_asks_for_its_device_and_the_next_one_does_not(jobs: ModuleType) -> None:
    assert pickle.loads(worker.call(pickle.dumps((jobs.ask_for_the_device, 4)))) == (4, None, True)
    assert pickle.loads(worker.call(pickle.dumps((jobs.square, 4)))) == (16, None, False)
