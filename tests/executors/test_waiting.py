from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench_lib.core.errors import BadValue
from bench_lib.executors.base import Done, Failure, Outcome
from bench_lib.executors.waiting import Turn, Waiting, check_limits

DIED = Failure("died", "gone")


def test_jobs_that_died_come_after_new_ones_until_their_retries_are_spent() -> None:
    waiting = Waiting([1, 2], retries=1)
    assert waiting.next() == Turn(1)
    assert waiting.ended(Turn(1), Outcome(None, DIED)) == []
    assert [waiting.next(), waiting.next(), waiting.next()] == [Turn(2), Turn(1, 2), None]
    assert not waiting
    assert waiting.ended(Turn(1, 2), Outcome(None, DIED)) == [Done(1, None, DIED, 2)]
    assert not waiting


def test_other_failures_are_not_tried_again() -> None:
    waiting = Waiting([1], retries=2)
    late = Failure("timeout", "late")
    assert waiting.ended(Turn(1), Outcome(None, late)) == [Done(1, None, late, 1)]
    assert waiting.ended(Turn(1), Outcome(5, None)) == [Done(1, 5)]


def test_a_job_that_asks_for_its_device_is_tried_once_more_where_it_shared_one() -> None:
    waiting, cramped = Waiting([1, 2], retries=1), Outcome("too large", None, cramped=True)
    assert waiting.next() == Turn(1)
    assert waiting.ended(Turn(1), cramped, shared=True) == []
    assert [waiting.next(), waiting.next()] == [Turn(2), Turn(1, 2, alone=True)]
    assert waiting.ended(Turn(2), cramped, shared=False) == [Done(2, "too large")]
    assert waiting.ended(Turn(1, 2, alone=True), cramped, shared=True) == [Done(1, "too large", None, 2)]
    # One whose process dies is still alone when it is tried again.
    assert waiting.ended(Turn(1, 1, alone=True), Outcome(None, DIED)) == []
    assert waiting.next() == Turn(1, 2, alone=True)


def test_a_job_that_could_not_be_started_keeps_its_attempt() -> None:
    waiting = Waiting([1], retries=0)
    found = waiting.next()
    assert found is not None
    assert waiting.next() is None
    waiting.put_back(found)
    assert waiting
    assert waiting.next() == Turn(1)


def test_an_error_of_the_jobs_is_kept_and_ends_them() -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    waiting = Waiting(jobs(), retries=0)
    assert [waiting.next(), waiting.next()] == [Turn(1), None]
    assert str(waiting.error) == "no more"
    assert not waiting


@pytest.mark.parametrize("limits", [(0, None, 0), (None, 0.0, 0), (None, None, -1)])
def test_limits_that_cannot_be_kept_are_refused(limits: tuple[int | None, float | None, int]) -> None:
    with pytest.raises(BadValue):
        check_limits(*limits)
