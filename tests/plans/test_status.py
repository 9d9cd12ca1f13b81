from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench_lib.core.record import Status, Timing
from bench_lib.core.spec import RunSpec
from bench_lib.plans.status import PlanStatus
from bench_lib.plans.status import plan_status as status_of_cells
from bench_lib.runner.cells import CellRuns
from bench_lib.runner.grid import Grid, cells_of, plan
from bench_lib.runner.records import blank_record
from bench_lib.store import Claims, Store

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def parts(data_folder: Path) -> dict[str, list[RunSpec]]:
    """Eight runs in four trainings, and two runs of another task with one of them in the first sweep as well."""
    grid = Grid(("sst2",), ("adamw", "ema"), (0, 1, 2, 3), "smoke", "tiny", str(data_folder))
    both = dataclasses.replace(grid, tasks=("sst2", "rte"), techniques=("adamw",), seeds=(3,))
    return {"first": plan(grid), "second": plan(both)}


def put(store: Store, specs: Sequence[RunSpec], hours: float | None, seconds: float, status: str = "converged") -> None:
    """Store runs that began so many hours after noon and took so many seconds."""
    for spec in specs:
        started = {} if hours is None else {"started": (NOON + timedelta(hours=hours)).isoformat(timespec="seconds")}
        timing = Timing(setup_seconds=1.0, train_seconds=seconds - 3.0, eval_seconds=2.0)
        record = blank_record(spec, Status(status), "")
        store.append(dataclasses.replace(record, timing=timing, provenance=started))


def plan_status(parts: dict[str, list[RunSpec]], store: Store, now: datetime) -> PlanStatus:
    """The status of parts whose runs are given one by one."""
    return status_of_cells({n: [CellRuns(one, (one.seed,)) for one in specs] for n, specs in parts.items()}, store, now)


def of(parts: dict[str, list[RunSpec]], *seeds: int) -> list[RunSpec]:
    return [spec for spec in parts["first"] if spec.seed in seeds]


def test_nothing_is_known_of_an_empty_store(store: Store, parts: dict[str, list[RunSpec]]) -> None:
    found = plan_status(parts, store, NOON)
    assert [(part.name, part.runs, part.done, part.left) for part in found.parts] == [
        ("first", 8, 0, 8),
        ("second", 2, 0, 2),
    ]
    assert (found.whole.runs, found.whole.left) == (9, 9)  # one run is in both parts
    assert (found.running, found.rate, found.seconds_left, found.whole.seconds) == ((), None, None, None)
    assert not store.root.exists()


def test_runs_are_counted_by_status_and_their_seconds_tell_those_of_the_rest(
    store: Store, parts: dict[str, list[RunSpec]]
) -> None:
    put(store, of(parts, 0), 0.0, 100.0)
    put(store, of(parts, 1), 1.0, 200.0, "collapsed")
    put(store, of(parts, 2)[:1], 2.0, 900.0, "crashed")
    found = plan_status(parts, store, NOON)
    first, second = found.parts
    assert first.statuses == Counter(converged=2, collapsed=2, crashed=1)
    assert (first.done, first.left, first.seconds) == (5, 3, 150.0)
    # A training with its observer evaluates twice; what crashed tells nothing. Two are left: of seeds 2 and 3.
    assert first.seconds_left == 2 * (150.0 + 2.0)
    # No training of the other task is stored: any other one tells.
    assert (second.done, second.seconds, second.seconds_left) == (0, None, 2 * 152.0)
    assert found.seconds_left == 3 * 152.0


def test_the_latest_trainings_tell_how_long_the_next_take(store: Store, parts: dict[str, list[RunSpec]]) -> None:
    many = dataclasses.replace(parts["first"][0], seed=0)
    specs = [dataclasses.replace(many, seed=seed) for seed in range(30)]
    put(store, specs[:15], 0.0, 1000.0)
    put(store, specs[15:29], 5.0, 10.0)
    assert plan_status({"all": specs}, store, NOON).seconds_left == 10.0


def test_the_rate_is_of_the_last_hours_before_the_last_run_ended(store: Store, parts: dict[str, list[RunSpec]]) -> None:
    put(store, of(parts, 0), None, 60.0)
    assert plan_status(parts, store, NOON).rate is None
    put(store, of(parts, 1), -100.0, 60.0)
    put(store, of(parts, 2), 0.0, 3600.0)
    put(store, of(parts, 3), 5.0, 3600.0)
    assert plan_status(parts, store, NOON).rate == pytest.approx(4 / 6)


def test_what_runs_is_named_and_divides_the_time_that_is_left(store: Store, parts: dict[str, list[RunSpec]]) -> None:
    put(store, of(parts, 0), 0.0, 100.0)
    with Claims(store.root) as claims:
        for seed in (1, 2):
            assert claims.take(of(parts, seed)[0].training().run_id())
        found = plan_status(parts, store, NOON + timedelta(hours=4))
        assert found.running == (
            "sst2 adamw seed 1 and 1 that share its training",
            "sst2 adamw seed 2 and 1 that share its training",
        )
        assert found.whole.seconds_left == 4 * 102.0
        assert found.seconds_left == 2 * 102.0
        assert found.rate == pytest.approx(2 / 4)  # until now, since something runs


def test_seed_ensembles_are_runs_without_a_training(store: Store, data_folder: Path) -> None:
    specs = plan(Grid(("sst2",), ("ensemble:members=2",), (0, 1), "smoke", "tiny", str(data_folder)))
    put(store, [spec for spec in specs if not spec.pools()], 0.0, 100.0)
    found: PlanStatus = plan_status({"all": specs}, store, NOON)
    assert (found.whole.left, found.whole.seconds_left) == (1, 0)


def test_a_date_of_another_form_is_none(store: Store, parts: dict[str, list[RunSpec]]) -> None:
    (spec,) = of(parts, 0)[:1]
    store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), provenance={"started": "at noon"}))
    assert plan_status(parts, store, NOON).rate is None
    store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), provenance={"started": "2030-01-01"}))
    assert plan_status(parts, store, NOON + timedelta(hours=1)).rate is None  # all in no time at all


def test_cells_with_many_seeds_have_the_status_of_their_runs(store: Store, data_folder: Path) -> None:
    techniques = ("adamw", "ema", "ensemble:members=2")
    grid = Grid(("sst2", "rte"), techniques, tuple(range(9)), "smoke", "tiny", str(data_folder))
    part = dataclasses.replace(grid, tasks=("rte",), techniques=("ema",), seeds=(7, 8, 20))
    put(store, [spec for spec in plan(grid) if spec.seed in (2, 3, 7)], 0.0, 50.0)
    put(store, plan(dataclasses.replace(part, seeds=(20, 21))), 1.0, 70.0, "diverged")  # of which one is planned
    claimed = plan(grid)[0].training_id()
    with Claims(store.root) as claims:
        assert claims.take(claimed)
        by_cells = status_of_cells({"all": cells_of(grid), "some": cells_of(part)}, store, NOON)
        by_runs = plan_status({"all": plan(grid), "some": plan(part)}, store, NOON)
    assert by_cells == by_runs
    assert by_cells.whole.runs == len(plan(grid)) + 1
    assert by_cells.whole.statuses == Counter(converged=2 * (2 * 3 + 1), diverged=1)
    assert by_cells.running == ("sst2 adamw seed 0 and 1 that share its training",)


def test_a_training_is_found_among_the_last_seeds_and_with_those_that_lack_it(store: Store, data_folder: Path) -> None:
    grid = Grid(("sst2",), ("adamw", "ema"), tuple(range(200)), "smoke", "tiny", str(data_folder))
    cells = cells_of(grid)
    put(store, [cells[0].spec.at(seed) for seed in range(100)], 0.0, 50.0)
    with Claims(store.root) as claims:
        assert claims.take(cells[0].spec.at(150).training_id())
        assert claims.take(cells[0].spec.at(3).training_id())
        found = status_of_cells({"all": cells}, store, NOON)
    assert found.running == ("sst2 ema seed 3", "sst2 adamw seed 150 and 1 that share its training")
    # All 200 trainings are left: the observer alone takes a training of its own where the baseline's is stored.
    assert found.whole.seconds_left == 200 * 50.0
