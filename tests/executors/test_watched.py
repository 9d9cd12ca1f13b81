from __future__ import annotations

from functools import partial

import pytest

from bench_lib.executors import Done, Executor, InlineExecutor
from bench_lib.executors.watched import Watched


def test_a_job_is_told_when_it_begins_and_before_its_result_is_handed_out() -> None:
    seen: list[object] = []
    note = partial(partial, lambda what, job: seen.append((what, job)))
    executor: Executor = Watched(InlineExecutor(), note("started"), note("ended"))
    results = executor.run(lambda job: seen.append(job) or job, [1, 2])
    assert seen == []
    assert next(results) == Done(1, 1)
    assert seen == [("started", 1), 1, ("ended", 1)]
    assert next(results) == Done(2, 2)
    assert seen[3:] == [("started", 2), 2, ("ended", 2)]
    with pytest.raises(StopIteration):
        next(results)
