"""A tuning from its plan to tuned arms: run, cut short, gone on with, and read from the store alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadPlan
from bench_lib.core.record import Status
from bench_lib.core.seeds import TRIAL_SEEDS, TUNING_SEEDS
from bench_lib.core.spec import RunSpec
from bench_lib.executors import Done, InlineExecutor
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.sweep import Group, run_suite
from bench_lib.runner.tuning import plan_tuning
from bench_lib.store import Store

BUDGET = 4


@pytest.fixture(scope="module")
def grid(data_folder: Path) -> Grid:
    return Grid(("sst2",), ("adamw", "ema", "mixout", "r_drop"), (0,), "smoke", "tiny", str(data_folder))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@dataclass
class Fake:
    """Trains nothing: the score follows from the factor of the learning rate; some jobs end the sweep, or are lost."""

    last: int = 1_000_000
    lost: int = 0
    jobs: list[Group] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Generator[Any, None, None]:
        for job in jobs:
            if len(self.jobs) == self.last:
                raise KeyboardInterrupt
            self.jobs.append(job)
            yield Done(job, [self._record(spec) for spec in job])

    def _record(self, spec: RunSpec) -> Any:
        if len(self.jobs) <= self.lost:
            return blank_record(spec, Status.CRASHED, "the power went")
        factor = float(dict(spec.stack[-1].params).get("factor", 1.0))  # type: ignore[arg-type]  # it is a number
        return dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.9 - factor / 10)


def settings(specs: list[RunSpec]) -> dict[str, Any]:
    return {spec.technique(): [(part.name, part.params) for part in spec.stack] for spec in specs}


def tuned(grid: Grid, store: Store, **changes: Any) -> list[RunSpec]:
    techniques = tuple(f"{name}[tuned@{BUDGET}]" for name in grid.techniques)
    return plan(dataclasses.replace(grid, techniques=techniques, tuned_from=str(store.root), **changes))


def test_the_plan_goes_from_the_defaults_point_by_point(grid: Grid) -> None:
    planned = plan_tuning(grid, BUDGET)
    counts = Counter(trial.stack[0].name for trial in planned.trials)
    assert counts == {"adamw": 8, "ema": 8, "mixout": 8, "r_drop": 4}
    assert [trial.technique() for trial in planned.trials[:8]] == [
        name for name in grid.techniques for _ in TRIAL_SEEDS
    ]
    assert {trial.seed for trial in planned.trials} == set(TRIAL_SEEDS)
    assert {trial.profile.scored_on for trial in planned.trials} == {"dev"}
    assert planned.declined == {}


def test_a_tuning_cut_short_goes_on_where_it_was_and_ends_alike(grid: Grid, store: Store, tmp_path: Path) -> None:
    whole = Store(tmp_path / "whole")
    planned = plan_tuning(grid, BUDGET)
    planned.run(whole, Fake())
    for last in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            planned.run(store, Fake(last=last))
    assert 4 <= len(store.ids()) < len(planned.trials)
    with pytest.raises(BadPlan, match="trials under profile smoke are missing from"):
        tuned(grid, store)
    before, rest = len(store.ids()), Fake()
    planned.run(store, rest)
    assert sum(map(len, rest.jobs)) == len(planned.trials) - before
    assert store.ids() == whole.ids()
    assert [t.scores() for t in planned.tunings(store)] == [t.scores() for t in planned.tunings(whole)]
    assert settings(tuned(grid, store)) == settings(tuned(grid, whole))
    again = Fake()
    planned.run(store, again)
    assert again.jobs == []


def test_trials_that_were_lost_are_tried_again_and_not_scored(grid: Grid, store: Store) -> None:
    planned = plan_tuning(dataclasses.replace(grid, techniques=("mixout",)), BUDGET)
    planned.run(store, Fake(lost=3))
    (found,) = planned.tunings(store)
    assert found.missing == 3
    with pytest.raises(BadPlan, match=r"mixout\[tuned@4\] on sst2: 3 of 8 trials"):
        plan(dataclasses.replace(grid, techniques=("mixout[tuned@4]",), tuned_from=str(store.root)))
    again = Fake()
    planned.run(store, again)
    assert sum(map(len, again.jobs)) == 3
    assert planned.tunings(store)[0].missing == 0


def test_tuned_arms_are_planned_beside_their_defaults_on_the_same_seeds(grid: Grid, store: Store) -> None:
    plan_tuning(grid, BUDGET).run(store, Fake())
    both = dataclasses.replace(
        grid, techniques=("adamw", "adamw[tuned@4]", "mixout[tuned@4]"), seeds=(0, 1), tuned_from=str(store.root)
    )
    specs = plan(both)
    assert [(spec.technique(), spec.seed) for spec in specs] == [
        (name, seed) for seed in (0, 1) for name in both.techniques
    ]
    assert len({spec.profile for spec in specs}) == len({spec.frozen for spec in specs}) == 1
    lowest = min(dict(t.stack[-1].params).get("factor", 1.0) for t in plan_tuning(grid, BUDGET).trials)
    assert {dict(s.stack[-1].params)["factor"] for s in specs if s.technique() != "adamw"} == {lowest}


def test_the_store_of_the_trials_may_be_another(grid: Grid, store: Store, tmp_path: Path) -> None:
    plan_tuning(grid, BUDGET).run(store, Fake())
    run = dataclasses.replace(grid, techniques=("ema[tuned@4]",), seeds=(5,), tuned_from=str(store.root))
    other = Store(tmp_path / "other")
    run_suite(run, other, InlineExecutor())
    (record,) = other.records()
    assert record.technique == "ema[tuned@4]"
    assert record.status in ("converged", "collapsed")
    assert other.path("runs", record).is_file()
    assert Store(other.root).records() == [record]
    assert run_suite(run, other, Fake()).stored == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"seeds": (0, 1_000_000)},
            "seed of a tuned arm is 1000000; allowed: others than 1000000-1000999, by which its",
        ),
        ({"tuned_from": ""}, "store of the trials is ''; allowed: a store, where a tuned arm is asked for"),
        ({"profile": "smoke:scored_on=dev"}, "scored_on of the profile of a tuned arm is 'dev'"),
        ({"techniques": ("ensemble[tuned]",)}, "ensemble is not tuned: it pools runs of 5 seeds"),
        ({"techniques": ("mixuot[tuned]",)}, "unknown technique 'mixuot': did you mean"),
        (
            {"techniques": ("mixout[tuned@8]",)},
            r"mixout\[tuned@8\] on sst2: 8 of 16 trials under profile smoke are missing",
        ),
        ({"profile": "smoke:epochs=2"}, "8 of 8 trials under profile smoke:epochs=2 are missing"),
    ],
)
def test_what_is_wrong_with_tuned_arms_is_told(grid: Grid, store: Store, changes: dict[str, Any], why: str) -> None:
    plan_tuning(dataclasses.replace(grid, techniques=("mixout",)), BUDGET).run(store, Fake())
    asked = {"techniques": ("mixout[tuned@4]",), "tuned_from": str(store.root), **changes}
    with pytest.raises(BadPlan, match=why):
        plan(dataclasses.replace(grid, **asked))


def test_ordinary_arms_may_have_any_seed(grid: Grid) -> None:
    assert plan(dataclasses.replace(grid, seeds=(TUNING_SEEDS[0],)))


def test_what_declines_a_task_is_not_tuned_on_it(grid: Grid) -> None:
    planned = plan_tuning(
        dataclasses.replace(grid, tasks=("sst2", "conll2003"), techniques=("adamw", "lm_bff")), BUDGET
    )
    assert list(planned.declined) == [("conll2003", "lm_bff")]
    assert "lm_bff declines" in planned.declined["conll2003", "lm_bff"]
    assert {(arm.name, cell.task) for arm, cell in planned.arms} == {
        ("adamw", "sst2"), ("adamw", "conll2003"), ("lm_bff", "sst2")
    }  # fmt: skip


def test_all_that_is_wrong_with_a_tuning_is_told_at_once(grid: Grid) -> None:
    techniques = ("mixuot", "ensemble", "scale_lr", "mixout[tuned]", "llrd:decay=0.5")
    with pytest.raises(BadPlan) as caught:
        plan_tuning(dataclasses.replace(grid, tasks=("sts2",), techniques=techniques), BUDGET)
    assert [problem.partition(":")[0].partition(";")[0] for problem in caught.value.problems] == [
        "unknown technique 'mixuot'",
        "ensemble is not tuned",
        "technique to tune is 'scale_lr'",
        "technique to tune is 'mixout[tuned]'",
        "technique to tune is 'llrd",
        "unknown task 'sts2'",
    ]


@pytest.mark.parametrize(
    ("changes", "budget", "why"),
    [
        ({}, 0, "budget of a tuning is 0; allowed: 1 to 1,024"),
        ({"profile": "smoke:scored_on=dev"}, 4, "profile is 'smoke:scored_on=dev'; allowed: one without scored_on"),
        ({"profile": "smok"}, 4, "unknown profile 'smok'"),
    ],
)
def test_a_tuning_that_makes_no_sense_is_refused(grid: Grid, changes: dict[str, Any], budget: int, why: str) -> None:
    with pytest.raises(BadPlan, match=why):
        plan_tuning(dataclasses.replace(grid, **changes), budget)
