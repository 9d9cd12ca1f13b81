from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench_lib.executors import Done, Executor, InlineExecutor


def _invert(number: int) -> float:
    return 1 / number


def test_jobs_run_in_order_and_failures_do_not_stop_the_rest() -> None:
    executor: Executor = InlineExecutor()
    one, zero, two = executor.run(_invert, [1, 0, 2])
    assert (one, two) == (Done(1, 1.0), Done(2, 0.5))
    assert zero.result is None
    assert zero.failure is not None
    assert zero.failure.kind == "raised"
    assert zero.failure.message.endswith("ZeroDivisionError: division by zero")


def test_a_job_runs_only_when_its_result_is_asked_for() -> None:
    seen: list[int] = []
    results = InlineExecutor().run(seen.append, [1, 2, 3])
    assert seen == []
    next(results)
    assert seen == [1]


def test_an_interrupt_passes_through_and_ends_the_run() -> None:
    seen: list[int] = []

    def interrupted(job: int) -> None:
        seen.append(job)
        raise KeyboardInterrupt

    results = InlineExecutor().run(interrupted, [1, 2])
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert list(results) == []
    assert seen == [1]


def test_a_job_that_exits_is_a_failure() -> None:
    (done,) = InlineExecutor().run(sys.exit, [3])
    assert done.failure is not None
    assert done.failure.message == "SystemExit: 3"


def test_a_job_is_asked_for_when_it_runs() -> None:
    asked: list[int] = []
    results = InlineExecutor().run(str, (asked.append(job) or job for job in range(3)))
    assert asked == []
    for number, done in enumerate(results):
        assert (done.result, asked) == (str(number), list(range(number + 1)))


def test_jobs_that_raise_end_the_run() -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise OSError("no more jobs")

    results = InlineExecutor().run(str, jobs())
    assert next(results).result == "1"
    with pytest.raises(OSError, match="no more jobs"):
        next(results)
