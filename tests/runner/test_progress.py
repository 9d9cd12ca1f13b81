from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import pytest

from bench_lib.core.record import RunRecord
from bench_lib.core.spec import RunSpec
from bench_lib.runner.progress import Pace, counts, duration, named, result
from bench_lib.runner.sweep import Progress

MakeSpec = Callable[..., RunSpec]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _record(status: str, reason: str = "", score: float | None = None) -> RunRecord:
    return RunRecord(
        "id", "id", "sst2", "adamw", "tiny", "smoke", "made", 3, "{}", status, reason, 1, "accuracy", score
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (7.06, "7.1 s"), (9.96, "10 s"), (89.4, "89 s"), (90, "2 min"), (299, "5 min"), (5400, "1.5 h")],
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_run_takes_the_mean_of_those_that_ended(make_spec: MakeSpec) -> None:
    clock = Clock()
    pace = Pace(clock)
    groups = [(make_spec("sst2", seed=seed),) for seed in range(3)]
    assert (pace.seconds(), pace.remaining(3)) == (None, None)
    for group, seconds in zip(groups, (4.0, 2.0, 9.0), strict=True):
        pace.start(group)
        clock.now += seconds
        pace.end(group)
        clock.now += 100.0  # between runs there is no run
    assert pace.seconds() == 5.0
    assert pace.remaining(6) == 30.0


def test_runs_that_share_a_training_share_its_time(make_spec: MakeSpec) -> None:
    clock = Clock()
    pace = Pace(clock)
    group = (make_spec("sst2"), make_spec("sst2", "ema"))
    pace.start(group)
    assert pace.running() == "running sst2 adamw seed 0 and 1 that share its training"
    clock.now = 8.0
    pace.end(group)
    assert (pace.seconds(), pace.running()) == (4.0, "")


def test_several_at_a_time_are_done_sooner(make_spec: MakeSpec) -> None:
    clock = Clock()
    pace = Pace(clock)
    first, second, third = ((make_spec("sst2", seed=seed),) for seed in range(3))
    pace.start(first)
    pace.start(second)
    clock.now = 6.0
    pace.start(third)  # an executor hands out the next before the last result is seen
    pace.end(first)
    assert pace.remaining(4) == 12.0
    assert pace.running() == "2 running, first sst2 adamw seed 1"


def test_a_run_is_named_by_its_task_technique_and_seed(make_spec: MakeSpec) -> None:
    assert named([make_spec("squad", "mixout", 7)]) == "squad mixout seed 7"


def test_the_line_of_a_run_tells_place_failures_and_time(make_spec: MakeSpec) -> None:
    clock = Clock()
    pace = Pace(clock)
    group = (make_spec("sst2", seed=3),)
    start = Progress(48, 11, 0, Counter())
    assert result(start, pace) == "48 runs: 11 stored, 37 to do"
    assert counts(start, pace) == "0 failed"
    pace.start(group)
    clock.now = 7.1
    pace.end(group)
    one = Progress(48, 11, 1, Counter(["converged"]), _record("converged", score=0.81))
    assert result(one, pace) == (
        "[12/48, 0 failed; 7.1 s a run, 36 left in about 4 min] sst2 adamw seed 3: converged accuracy 0.8100"
    )
    shared = dataclasses.replace(one, elsewhere=6)
    assert counts(shared, pace) == "0 failed, 6 made by other processes; 7.1 s a run, 30 left in about 4 min"
    last = dataclasses.replace(
        one, total=12, statuses=Counter(["crashed"]), last=_record("crashed", "a\nb " + "x" * 200)
    )
    assert result(last, pace) == f"[12/12, 1 failed; 7.1 s a run] sst2 adamw seed 3: crashed a b {'x' * 156}"
