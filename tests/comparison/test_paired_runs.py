from __future__ import annotations

import math

import numpy as np
import pytest

from bench_lib.comparison.paired_runs import Cost, TaskRuns, by_task
from bench_lib.core.record import RunRecord, Status


def run(seed: int, score: float | None = 0.8, **changes: object) -> RunRecord:
    names = dict.fromkeys(("run_id", "training_id", "technique", "model", "profile", "data_source", "spec"), "")
    record = RunRecord(**names, task="sst2", seed=seed, status="converged", score=score)
    return record.changed(changes)


def by_seed(*records: RunRecord) -> dict[int, RunRecord]:
    return {record.seed: record for record in records}


def failed(seed: int, status: Status) -> RunRecord:
    return run(seed, None, status=str(status))


def test_seeds_are_paired_in_their_order_and_failures_are_nan() -> None:
    runs = TaskRuns(
        by_seed(run(2, 0.7), failed(0, Status.DIVERGED), run(1, 0.5, status="collapsed"), run(9, 0.6)),
        by_seed(run(1, 0.3), run(0, 0.2), run(2, 0.4), run(3, 0.9)),
    )
    arms = runs.samples()
    assert np.array_equal(arms.technique, [math.nan, math.nan, 0.7], equal_nan=True)
    assert np.array_equal(arms.baseline, [0.2, 0.3, 0.4])
    assert arms.failures() == (2, 0)


@pytest.mark.parametrize("status", [Status.OOM, Status.TIMEOUT, Status.CRASHED])
def test_a_seed_that_was_lost_in_one_arm_counts_in_neither(status: Status) -> None:
    runs = TaskRuns(by_seed(run(0), failed(1, status)), by_seed(failed(0, status), run(1), run(2)))
    assert runs.samples().seeds == 0
    assert runs.lost_to_infrastructure() == 2
    assert TaskRuns().samples().seeds == TaskRuns().lost_to_infrastructure() == 0


def test_a_task_is_declined_by_either_arm() -> None:
    declines = run(0, None, status="unsupported", reason="no spans")
    assert TaskRuns(by_seed(declines), by_seed(run(0))).decline_reason() == "no spans"
    assert TaskRuns(by_seed(run(0)), by_seed(declines)).decline_reason() == "no spans"
    assert TaskRuns(by_seed(failed(0, Status.OOM)), by_seed(run(0))).decline_reason() == ""


def test_cost_is_of_the_shortest_times_and_the_median_memory_of_what_converged() -> None:
    slow = [run(seed, train_seconds=seconds, peak_memory_bytes=300) for seed, seconds in enumerate((30.0, 31.0, 90.0))]
    fast = [run(seed, train_seconds=20.0 + 50.0 * seed, peak_memory_bytes=200) for seed in range(2)]
    broken = run(7, train_seconds=1.0, status="diverged")
    assert TaskRuns(by_seed(*slow, broken), by_seed(*fast)).cost() == Cost(1.5, 1.5)


def test_times_of_different_machines_are_not_compared() -> None:
    here = [run(seed, train_seconds=20.0, provenance={"cpu": "one"}) for seed in range(3)]
    there = [run(seed, train_seconds=5.0, provenance={"cpu": "other"}) for seed in range(3)]
    assert math.isnan(TaskRuns(by_seed(*here), by_seed(*there)).cost().time)
    again = run(4, train_seconds=10.0, provenance={"cpu": "other"})
    assert TaskRuns(by_seed(*here, again), by_seed(*there)).cost().time == 2.0


@pytest.mark.parametrize(
    ("technique", "baseline"),
    [
        ([], [run(0, train_seconds=1.0, peak_memory_bytes=1)]),
        ([run(0, train_seconds=1.0, peak_memory_bytes=1)], [failed(0, Status.DIVERGED)]),
        ([run(0, train_seconds=1.0)], [run(0, train_seconds=0.0)]),
    ],
)
def test_cost_is_nan_where_there_is_nothing_to_divide_by(technique: list[RunRecord], baseline: list[RunRecord]) -> None:
    cost = TaskRuns(by_seed(*technique), by_seed(*baseline)).cost()
    assert math.isnan(cost.time)
    assert math.isnan(cost.memory)


def test_more_seeds_join_those_that_there_were() -> None:
    first = TaskRuns(by_seed(run(0)), by_seed(run(0)))
    both = first.joined(TaskRuns(by_seed(run(1, 0.9)), by_seed(run(1))))
    assert list(both.samples().technique) == [0.8, 0.9]
    assert first.samples().seeds == 1


def test_records_by_task_and_seed() -> None:
    found = by_task([run(3), run(1), run(2, task="imdb")])
    assert {task: list(seeds) for task, seeds in found.items()} == {"imdb": [2], "sst2": [1, 3]}
    assert by_task([]) == {}


def test_seeds_of_two_kinds_of_machine_are_counted_where_both_runs_count() -> None:
    here, there = {"cpu": "a", "started": "1"}, {"cpu": "b"}
    ours = [run(seed, provenance=here) for seed in range(4)]
    theirs = [run(0, provenance=here | {"started": "2"}), run(1, provenance=there), run(2, 0.1, provenance=there)]
    lost = run(3, None, status="oom", provenance=there)
    assert TaskRuns(by_seed(*ours), by_seed(*theirs, lost, run(9, provenance=there))).on_unlike_machines() == 2
    assert TaskRuns().on_unlike_machines() == 0
