from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Done, attempt, results
from bench_lib.executors.inline import InlineExecutor


def _sink(depth: int) -> int:
    if depth == 0:
        raise ValueError("the bottom")
    if depth % 2:
        return _sink(depth - 1)
    return _sink(depth - 1)  # on another line, since tracebacks fold repeated ones


def _shout(length: int) -> None:
    raise ValueError("x" * length)


def _interrupt(_: object) -> None:
    raise KeyboardInterrupt


def test_a_result_has_no_failure() -> None:
    assert attempt(str, 3) == ("3", None)


def test_an_exception_becomes_the_tail_of_its_traceback() -> None:
    result, failure = attempt(_sink, 20)
    assert result is None
    assert failure is not None
    assert failure.kind == "raised"
    assert failure.message.endswith("ValueError: the bottom")
    assert failure.message.count("in _sink") == 5


def test_the_executors_own_frames_are_left_out() -> None:
    _, failure = attempt(_sink, 0)
    assert failure is not None
    assert "in attempt" not in failure.message
    assert failure.message.count("in _sink") == 1


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    _, failure = attempt(_shout, 5000)
    assert failure is not None
    assert len(failure.message) == 2000
    assert failure.message.startswith("Traceback")
    assert failure.message.endswith("x" * 900)


def test_an_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt(_interrupt, None)


def test_results_stand_in_the_order_of_the_jobs() -> None:
    class Backwards:
        """Completes the last job first."""

        def run(self, function: Callable[[int], int], jobs: Iterable[int]) -> Iterator[Done[int, int]]:
            return (Done(job, function(job)) for job in reversed([*jobs]))

    assert results(Backwards(), lambda job: job * 10, [101, 202, 303]) == [1010, 2020, 3030]


def test_no_job_is_held_longer_than_it_takes() -> None:
    class Job:
        """Something that can be seen to be gone."""

    known: weakref.WeakSet[Job] = weakref.WeakSet()

    def jobs() -> Iterator[Job]:
        for _ in range(5):
            job = Job()
            known.add(job)
            yield job
            del job

    assert max(results(InlineExecutor(), lambda job: len(known), jobs())) <= 2


def test_a_job_without_a_result_is_an_error_that_says_why() -> None:
    with pytest.raises(BenchError, match="a job gave no result: Traceback"):
        results(InlineExecutor(), _refuse, ["nope", "no"])


def _refuse(text: str) -> str:
    raise ValueError(text)
