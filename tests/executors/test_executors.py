from __future__ import annotations

import os

import pytest

from bench_lib.core.errors import BadValue, UnknownName
from bench_lib.executors import EXECUTORS, InlineExecutor, LocalExecutor


def test_executors_are_made_by_name_from_what_the_user_gives() -> None:
    assert EXECUTORS.get("inline")(None, None) == InlineExecutor()
    libraries = "bench_lib.executors.libraries"
    assert EXECUTORS.get("local")(3, 90.0) == LocalExecutor(3, 90.0, imports=libraries)
    assert EXECUTORS.get("local")(None, None) == LocalExecutor(os.cpu_count() or 1, 24 * 60 * 60, imports=libraries)


@pytest.mark.parametrize(
    ("name", "workers", "time_limit", "message"),
    [
        ("inline", 2, None, "workers of the executor inline is 2"),
        ("inline", None, 9.0, "time limit of the executor inline is 9.0"),
        ("local", 0, None, "number of workers is 0; allowed: 1 or more"),
        ("local", 100_000, None, "number of workers is 100000; allowed: 1 or more, up to 1,024"),
    ],
)
def test_settings_that_an_executor_cannot_use_are_refused(
    name: str, workers: int | None, time_limit: float | None, message: str
) -> None:
    with pytest.raises(BadValue, match=message):
        EXECUTORS.get(name)(workers, time_limit)


def test_an_unknown_executor_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown executor 'locl': did you mean 'local'"):
        EXECUTORS.get("locl")
