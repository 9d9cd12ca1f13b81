"""The sequential comparison, with an executor that hands out scores instead of training."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from bench_lib.comparison.result import Outcome
from bench_lib.comparison.sequential import ComparisonRequest, check
from bench_lib.core.errors import BadPlan, BadValue, BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.runner.records import blank_record
from bench_lib.stats.design import Design
from bench_lib.stats.verdict import Location, Stability
from bench_lib.store import Looks, Store, read_looks
from bench_lib.techniques.regularisation.mixout import Mixout
from tests.comparison.worlds import Told, World, failing, noise, scored, spread


def question(technique: str = "mixout", **changes: object) -> ComparisonRequest:
    whole = {"baseline": "adamw", "tasks": ("sst2",), "profile": "smoke", "model": "tiny", **changes}
    return ComparisonRequest(technique, **whole)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_a_steadier_technique_holds_and_stops_early(store: Store) -> None:
    told = Told(spread(mixout=0.2))
    answer = check(question(), store, told)
    (task,) = answer.tasks
    assert (answer.outcome, task.verdict.stability) == (Outcome.HOLDS, Stability.MORE)
    assert task.verdict.seeds < 30
    assert told.seeds("sst2", "mixout") == told.seeds("sst2", "adamw") == list(range(task.verdict.seeds))
    low, high = task.ratio()[1:]
    assert low < 0.2 < high
    assert task.missing == 0


def test_a_wilder_technique_is_a_regression(store: Store) -> None:
    answer = check(question(), store, Told(spread(mixout=4)))
    assert answer.outcome is Outcome.REGRESSION
    assert answer.tasks[0].verdict.decided_by == "spread"


def test_failures_in_one_arm_decide(store: Store) -> None:
    answer = check(question(), store, Told(failing(mixout=0.9)))
    (task,) = answer.tasks
    assert (answer.outcome, task.verdict.decided_by) == (Outcome.REGRESSION, "failures")
    assert task.failure_rates()[0][0] == pytest.approx(0.9)
    assert task.failure_rates()[1][0] == 0
    assert check(question("adamw", baseline="mixout"), store, Told(failing(mixout=0.9))).outcome is Outcome.HOLDS


def test_a_lower_score_is_a_regression_though_as_steady(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        return scored(spec, 0.8 + 0.01 * noise(spec) - 0.05 * (spec.technique() == "mixout"))

    answer = check(question(), store, Told(world))
    assert answer.outcome is Outcome.REGRESSION
    assert answer.tasks[0].verdict.location is Location.WORSE


def test_the_baseline_against_itself_is_equivalent(store: Store) -> None:
    answer = check(question("adamw"), store, Told(spread()))
    assert answer.outcome is Outcome.HOLDS
    assert answer.tasks[0].verdict.stability is Stability.EQUIVALENT
    assert answer.tasks[0].verdict.seeds >= 20


def test_what_is_between_is_inconclusive_and_says_how_many_seeds_are_missing(store: Store) -> None:
    answer = check(question(max_seeds=12), store, Told(spread(mixout=1.4)))
    (task,) = answer.tasks
    assert answer.outcome is Outcome.INCONCLUSIVE
    assert task.verdict.seeds == 12
    assert answer.missing == task.missing > 10
    assert task.detectable > 2


@pytest.mark.exhaustive
def test_a_task_that_is_sure_is_not_trained_further(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        return spread(mixout=6 if spec.task == "sst2" else 1.2)(spec)

    told = Told(world)
    answer = check(question(tasks=("sst2", "conll2003")), store, told)
    first, second = answer.tasks
    assert first.verdict.seeds < second.verdict.seeds
    assert told.seeds("sst2", "mixout") == list(range(first.verdict.seeds))
    assert told.seeds("conll2003", "adamw") == list(range(second.verdict.seeds))
    assert answer.outcome is Outcome.REGRESSION


def test_what_is_stored_is_not_trained_again_and_the_answer_is_the_same(store: Store) -> None:
    world = spread(mixout=2.5)
    before = check(question(), store, Told(world))
    told = Told(world)
    assert check(question(), store, told) == before
    assert not told.asked


def test_what_was_stopped_goes_on_with_the_same_bits(store: Store, tmp_path: Path) -> None:
    world = spread(mixout=2.5)

    def stops(spec: RunSpec) -> RunRecord:
        if spec.seed == 11:
            raise KeyboardInterrupt
        return world(spec)

    with pytest.raises(KeyboardInterrupt):
        check(question(), store, Told(stops))
    assert 20 <= len(store.ids()) < 24
    told = Told(world)
    assert check(question(), store, told) == check(question(), Store(tmp_path / "fresh"), Told(world))
    assert min(told.seeds("sst2", "mixout")) == 11


@pytest.mark.exhaustive
def test_an_answer_does_not_depend_on_what_else_the_store_holds(store: Store, tmp_path: Path) -> None:
    world = spread(mixout=2.5)
    check(question("r_drop"), store, Told(world))
    assert check(question(), store, Told(world)) == check(question(), Store(tmp_path / "fresh"), Told(world))


def test_lost_runs_leave_their_seed_out_of_both_arms(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        if spec.seed == 3 and spec.technique() == "mixout":
            return blank_record(spec, Status.OOM, "no memory")
        return spread(mixout=8)(spec)

    (task,) = check(question(), store, Told(world)).tasks
    assert task.lost == 1
    assert task.verdict.seeds % 2 == 1  # of a look's even number of seeds
    assert task.failure_rates()[0][0] == 0


def test_a_declined_task_is_said_and_counts_for_nothing(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        if spec.task == "squad" and spec.technique() == "mixout":
            return blank_record(spec, Status.UNSUPPORTED, "no spans, please")
        return spread(mixout=0.2)(spec)

    answer = check(question(tasks=("squad", "sst2")), store, Told(world))
    assert answer.tasks[0].declined == "no spans, please"
    assert answer.outcome is Outcome.HOLDS
    assert check(question(tasks=("squad",)), store, Told(world)).outcome is Outcome.INCONCLUSIVE


def test_cost_beyond_the_bound_is_a_regression(store: Store) -> None:
    def world(spec: RunSpec) -> RunRecord:
        slow = 20.0 if spec.technique() == "mixout" else 10.0
        return spread(mixout=0.2)(spec).changed({"train_seconds": slow})

    assert check(question(max_cost=2.5), store, Told(world)).outcome is Outcome.HOLDS
    answer = check(question(max_cost=1.5), store, Told(world))
    assert answer.outcome is Outcome.REGRESSION
    assert answer.tasks[0].exceeds_max_cost
    assert (answer.tasks[0].cost.time, answer.tasks[0].cost.memory) == (2.0, 1.0)


def test_nothing_but_failures_on_both_sides_has_an_answer(store: Store) -> None:
    answer = check(question(max_seeds=10), store, Told(failing(mixout=1.0, adamw=1.0)))
    assert answer.outcome is Outcome.INCONCLUSIVE
    assert math.isnan(answer.missing)


# Continued.


def recorded(store: Store) -> list[Looks]:
    return [read_looks(store.root, json.loads(path.read_text())["comparison"]) for path in files(store)]


def files(store: Store) -> list[Path]:
    return sorted((store.root / "looks").iterdir())


def test_the_looks_are_recorded_and_a_longer_comparison_continues_them(store: Store) -> None:
    world = spread(mixout=1.4)
    first = check(question(max_seeds=12), store, Told(world))
    assert first.design.stages == (12,)
    assert recorded(store) == [Looks((12,), 12)]
    told = Told(world)
    more = check(question(max_seeds=16), store, told)
    assert more.design.stages == (12, 16)
    assert more.design.looks == (10, 12, 14, 16)
    assert recorded(store) == [Looks((12, 16), 16)]
    assert told.seeds("sst2", "mixout") == [12, 13, 14, 15]
    for look in (10, 12):
        assert more.design.levels(look, 0).spread == pytest.approx(first.design.levels(look, 0).spread, rel=1e-6)
    assert more.design.levels(16, 0).spread < Design((10, 12, 14, 16)).levels(16, 0).spread


@pytest.mark.exhaustive
def test_fewer_seeds_than_recorded_are_the_same_comparison_cut_short(store: Store) -> None:
    world = spread(mixout=1.4)
    check(question(max_seeds=16), store, Told(world))
    again = check(question(max_seeds=12), store, Told(world))
    assert (again.design.looks, again.design.stages) == ((10, 12), (16,))
    assert again.tasks[0].verdict.seeds == 12
    assert recorded(store) == [Looks((16,), 16)]
    with pytest.raises(BenchError, match="a record of this comparison with up to 16 seeds, whose first look is at 10"):
        check(question(max_seeds=5), store, Told(world))


def test_a_comparison_without_a_look_may_be_planned_anew(store: Store) -> None:
    def stops(spec: RunSpec) -> RunRecord:
        if spec.seed == 4:
            raise KeyboardInterrupt
        return spread()(spec)

    with pytest.raises(KeyboardInterrupt):
        check(question(max_seeds=12), store, Told(stops))
    assert check(question(max_seeds=14), store, Told(spread())).design.stages == (14,)


@pytest.mark.exhaustive
def test_another_alpha_margin_task_or_technique_is_another_comparison(store: Store) -> None:
    for changes in ({}, {"alpha": 0.01}, {"tasks": ("conll2003",)}, {"technique": "r_drop"}):
        check(question(max_seeds=10, **changes), store, Told(spread()))
    assert recorded(store) == [Looks((10,), 10)] * 4


def test_a_damaged_record_of_looks_is_named_and_not_passed_over(store: Store) -> None:
    check(question(max_seeds=10), store, Told(spread()))
    (path,) = files(store)
    path.write_text("{")
    with pytest.raises(BenchError, match=f"{path.name} is damaged"):
        check(question(max_seeds=12), store, Told(spread()))


# An older version.


def older(path: Path, world: World, seeds: int, version: str = "0", technique: str = "mixout") -> Store:
    """A store of runs of a technique as of another version."""
    told, fresh = Told(world), Store(path.with_name(path.name + "-fresh"))
    check(question(technique, max_seeds=seeds, tasks=("sst2",)), fresh, told)
    store = Store(path)
    for spec in told.asked:
        if spec.technique() == technique:
            aged = dataclasses.replace(spec, stack=tuple(dataclasses.replace(t, version=version) for t in spec.stack))
            store.append(world(aged))
    return store


def test_a_technique_is_compared_with_its_older_version(store: Store, tmp_path: Path) -> None:
    old = older(tmp_path / "old", spread(mixout=1), 10)
    told = Told(spread(mixout=8))
    answer = check(question(), store, told, against=old)
    assert (answer.technique, answer.baseline) == ("mixout", f"mixout version 0 in {old.root}")
    assert answer.outcome is Outcome.REGRESSION
    assert answer.design.looks == (10,)
    assert {spec.technique() for spec in told.asked} == {"mixout"}
    assert not set(old.ids()) & set(store.ids())


@pytest.mark.exhaustive
def test_only_the_seeds_of_the_older_version_are_trained(store: Store, tmp_path: Path) -> None:
    old, fewer = older(tmp_path / "old", spread(), 12), Store(tmp_path / "fewer")
    for record in old.records():
        if record.seed >= 2:
            fewer.append(dataclasses.replace(record, status="timeout" if record.seed == 5 else record.status))
    told = Told(spread())
    answer = check(question(), store, told, against=fewer)
    assert answer.design.looks == (9,)
    assert answer.tasks[0].verdict.seeds == 9
    assert told.seeds("sst2", "mixout") == [2, 3, 4, 6, 7, 8, 9, 10, 11]
    told = Told(spread())
    assert check(question(max_seeds=4), Store(tmp_path / "other"), told, against=fewer).design.looks == (4,)
    assert told.seeds("sst2", "mixout") == [2, 3, 4, 6]


def test_an_older_version_in_the_same_store_is_told_from_todays(tmp_path: Path) -> None:
    store = older(tmp_path / "old", spread(), 10)
    before = check(question(), store, Told(spread(mixout=8)), against=store)
    assert before.outcome is Outcome.REGRESSION
    assert len(store.ids()) == 20
    told = Told(spread(mixout=8))
    assert check(question(), Store(store.root), told, against=Store(store.root)) == before
    assert not told.asked


def test_where_an_older_store_has_todays_version_it_is_that(store: Store, tmp_path: Path) -> None:
    check(question(max_seeds=10), store, Told(spread()))
    answer = check(question(), Store(tmp_path / "new"), Told(spread()), against=store)
    assert answer.baseline == f"mixout version {Mixout.version} in {store.root}"
    assert answer.tasks[0].ratio()[0] == 1


def test_a_file_is_compared_with_what_it_was(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "shaken.py"
    path.write_text((Path(__file__).parents[2] / "examples" / "shaken.py").read_text())
    check(question(f"{path}:Shaken", max_seeds=10), store, Told(spread()))
    path.write_text(path.read_text() + "# another text, another version\n")
    told = Told(spread(shaken=8))
    answer = check(question(f"{path}:Shaken"), store, told, against=store)
    assert answer.outcome is Outcome.REGRESSION
    assert answer.baseline.startswith("shaken version ")
    assert told.seeds("sst2", "shaken") == list(range(10))


def test_every_task_needs_the_older_version(store: Store, tmp_path: Path) -> None:
    old, told = older(tmp_path / "old", spread(), 10), Told(spread())
    with pytest.raises(BenchError, match="holds 0 seeds of mixout on sst2 and conll2003 with the same"):
        check(question(tasks=("sst2", "conll2003")), store, told, against=old)
    nearest = r"the nearest runs of it differ in mixout:p \(0\.1 there, 0\.5 here\)$"
    with pytest.raises(BenchError, match=rf"holds 0 seeds of mixout:p=0\.5 on sst2 with .*; {nearest}"):
        check(question("mixout:p=0.5"), store, told, against=old)
    assert not told.asked


@pytest.mark.exhaustive
def test_an_older_store_without_the_technique_or_with_several_versions_is_refused(store: Store, tmp_path: Path) -> None:
    old = older(tmp_path / "old", spread(), 10)
    with pytest.raises(BenchError, match=r"old holds 0 seeds of r_drop on sst2 with the same data"):
        check(question("r_drop"), store, Told(spread()), against=old)
    for record in older(tmp_path / "older", spread(), 10, version="00").records():
        old.append(record)
    with pytest.raises(BenchError, match=r"old holds several versions of the technique, 0, 00; give"):
        check(question(), store, Told(spread()), against=old)


# Bad input.


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks": ()}, BadValue, "tasks"),
        ({"tasks": ("sst2", "sst2")}, BadValue, "allowed: at least one, each once"),
        ({"tasks": ("sst2", "sst22")}, BadPlan, "did you mean 'sst2'"),
        ({"profile": "smok"}, BadPlan, "did you mean 'smoke'"),
        ({"max_cost": 0.0}, BadValue, "--max-cost is 0.0"),
        ({"max_seeds": 2}, BadPlan, "greatest number of seeds is 2"),
        ({"alpha": 0.7}, BadPlan, "alpha is 0.7"),
        ({"technique": "mixuot"}, BadPlan, "did you mean 'mixout'"),
        ({"baseline": "adamv"}, BadPlan, "or 'adamw' or"),
        ({"technique": "ensemble"}, BadPlan, "ensemble pools several seeds into one record"),
        ({"baseline": "greedy_soup+llrd"}, BadPlan, "greedy_soup pools several seeds into one record"),
    ],
)
def test_bad_questions_are_refused_before_anything_is_trained(
    store: Store, changes: dict[str, object], error: type[BenchError], message: str
) -> None:
    told = Told(spread())
    with pytest.raises(error, match=message):
        check(question(**changes), store, told)
    assert not told.asked
