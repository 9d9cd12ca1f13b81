from __future__ import annotations

import dataclasses
import math

import pytest

from bench_lib.comparison.paired_runs import Cost
from bench_lib.comparison.result import ComparisonResult, Outcome, TaskResult
from bench_lib.stats.design import Design
from bench_lib.stats.equivalence import Effect
from bench_lib.stats.verdict import Location, Stability, Verdict

NAN = math.nan
VERDICT = Verdict(
    seeds=20,
    stability=Stability.UNDERPOWERED,
    location=Location.OPEN,
    decided_by="",
    failures=(2, 0),
    lone_failures=(2, 0),
    p_failure=0.3,
    p_spread=0.2,
    p_location=0.4,
    log_ratio=Effect(math.log(2), 0.1, 19),
    superiority=Effect(0.5, 0.1, 19),
)


def task(
    stability: Stability = Stability.UNDERPOWERED, location: Location = Location.OPEN, **changes: object
) -> TaskResult:
    verdict = dataclasses.replace(VERDICT, stability=stability, location=location)
    whole = TaskResult("sst2", verdict, Cost(1.2, 1.0), 0, "", 2.5, 15)
    return dataclasses.replace(whole, **changes)


def answer(*tasks: TaskResult) -> ComparisonResult:
    return ComparisonResult("mixout", "adamw", Design((10, 20)), tasks)


@pytest.mark.parametrize(
    ("found", "faults", "outcome"),
    [
        (task(), (), Outcome.INCONCLUSIVE),
        (task(Stability.MORE), (), Outcome.HOLDS),
        (task(Stability.EQUIVALENT, Location.SAME), (), Outcome.HOLDS),
        (task(location=Location.BETTER), (), Outcome.INCONCLUSIVE),
        (task(Stability.LESS), ("less stable",), Outcome.REGRESSION),
        (task(Stability.MORE, Location.WORSE), ("worse",), Outcome.REGRESSION),
        (task(location=Location.WORSE), ("worse",), Outcome.REGRESSION),
        (task(Stability.MORE, max_cost=1.1), ("too dear",), Outcome.REGRESSION),
        (task(Stability.MORE, max_cost=1.2), (), Outcome.HOLDS),
        (task(Stability.MORE, max_cost=1.1, cost=Cost(NAN, NAN)), (), Outcome.HOLDS),
        (
            task(Stability.LESS, Location.WORSE, max_cost=1.1),
            ("less stable", "worse", "too dear"),
            Outcome.REGRESSION,
        ),
        (task(Stability.LESS, max_cost=1.1, declined="no spans"), (), Outcome.HOLDS),
    ],
)
def test_what_a_task_comes_to(found: TaskResult, faults: tuple[str, ...], outcome: Outcome) -> None:
    assert (found.faults, found.outcome) == (faults, outcome)


HOLDS, OPEN, WORSE = task(Stability.MORE), task(), task(Stability.LESS)
DECLINED = task(declined="no spans")


@pytest.mark.parametrize(
    ("tasks", "outcome"),
    [
        ((HOLDS, HOLDS), Outcome.HOLDS),
        ((HOLDS, OPEN), Outcome.INCONCLUSIVE),
        ((OPEN, HOLDS, WORSE), Outcome.REGRESSION),
        ((HOLDS, DECLINED), Outcome.HOLDS),
        ((OPEN, DECLINED), Outcome.INCONCLUSIVE),
        ((DECLINED, DECLINED), Outcome.INCONCLUSIVE),
    ],
)
def test_what_all_tasks_come_to(tasks: tuple[TaskResult, ...], outcome: Outcome) -> None:
    assert answer(*tasks).outcome is outcome


def test_the_task_that_needs_most_tells_what_is_missing() -> None:
    assert answer(task(missing=4), task(missing=9), task(missing=NAN), HOLDS).missing == 9
    assert answer(task(missing=4), task(missing=math.inf)).missing == math.inf
    assert math.isnan(answer(task(missing=NAN)).missing)
    assert math.isnan(answer(HOLDS).missing)


def test_the_ratio_is_of_the_mads() -> None:
    ratio, low, high = task().ratio()
    assert ratio == pytest.approx(2)
    assert low * high == pytest.approx(4)
    assert low == pytest.approx(2 * math.exp(-0.1 * 2.093024054408263))


@pytest.mark.parametrize(("estimate", "ratio"), [(-math.inf, 0.0), (math.inf, math.inf), (0.0, 1.0)])
def test_a_ratio_without_spread_in_an_arm(estimate: float, ratio: float) -> None:
    effect = Effect(estimate, NAN if estimate else 0.0, math.inf)
    found = dataclasses.replace(task(), verdict=dataclasses.replace(VERDICT, log_ratio=effect)).ratio()
    assert found[0] == ratio
    assert [math.isnan(end) for end in found[1:]] == [bool(estimate)] * 2


def test_failure_rates_are_of_the_technique_then_of_the_baseline() -> None:
    ours, theirs = task().failure_rates()
    assert (ours[0], theirs[0]) == (0.1, 0.0)
    assert ours[1] < 0.1 < ours[2]
    assert theirs[1] == 0 < theirs[2]
    none = dataclasses.replace(task(), verdict=dataclasses.replace(VERDICT, seeds=0, failures=(0, 0)))
    assert math.isnan(none.failure_rates()[0][0])
