from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadPlan, BenchError
from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.seeds import STREAMS, parse_vary
from bench_lib.core.spec import canonical_json
from bench_lib.executors import Done, Failure, InlineExecutor, LocalExecutor
from bench_lib.executors.base import attempt
from bench_lib.runner.grid import Grid, all_tasks, all_techniques, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.seed_streams import refuse_pools
from bench_lib.runner.sweep import Group, Progress, grouped, run_suite
from bench_lib.store import Store, compact
from bench_lib.tasks import STANDARD, TASKS
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

Outcomes = Generator[Any, None, None]

OBSERVERS = ("adamw", "ema", "early_stopping", "llrd+ema")
SWEPT = ("adamw", "ema", "mixout")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def small(data_folder: Path) -> Grid:
    """Four runs of one task."""
    return Grid(("sst2",), ("adamw", "mixout"), (0, 1), "smoke", "tiny", str(data_folder))


# ---- executors and techniques of these tests -------------------------------------------------------------------------


@dataclass
class Counting:
    """Runs jobs in this process and notes them."""

    jobs: list[Group] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Outcomes:
        for job in jobs:
            self.jobs.append(job)
            yield Done(job, *attempt(function, job))

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(spec.technique(), spec.seed) for job in self.jobs for spec in job]


@dataclass
class Fake:
    """Trains nothing: what it is told becomes of a job, or a score."""

    become: Callable[[Group], dict[str, Any]] = lambda job: {}
    jobs: list[Group] = field(default_factory=list)
    closed: bool = False

    def run(self, function: Any, jobs: Any) -> Outcomes:
        try:
            for job in jobs:
                self.jobs.append(job)
                scored = [dataclasses.replace(blank_record(s, Status.CONVERGED, ""), score=0.75) for s in job]
                yield Done(**{"job": job, "result": scored, **self.become(job)})
        finally:
            self.closed = True


def lost(kind: str, message: str, attempts: int = 1) -> dict[str, Any]:
    return {"result": None, "failure": Failure(kind, message), "attempts": attempts}


class StopHereError(Exception):
    """Ends a sweep from outside."""


def stop_after(records: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.finished == records:
            raise StopHereError

    return report


class Raises(Technique):
    """Raises in the middle of the training."""

    name, paper, identity = "raises", "none", None

    def after_update(self, training: Training) -> None:
        raise RuntimeError("the wheel came off")


class Explodes(Technique):
    """Sets a weight to NaN."""

    name, paper, identity = "explodes", "none", None

    def after_update(self, training: Training) -> None:
        next(iter(training.trainable().values())).data.fill_(math.nan)


def by_cell(store: Store) -> dict[tuple[str, int], RunRecord]:
    return {(record.technique, record.seed): record for record in store.records()}


def contents(store: Store) -> list[str]:
    """All that must not depend on who trained: the results, and the predictions to the bit."""
    found = []
    for record in store.records():
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        found.append(canonical_json([record.result(), predictions.values.tobytes().hex()]))
    return found


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_a_plan_goes_through_all_cells_of_a_seed_before_the_next(data_folder: Path) -> None:
    specs = plan(Grid(("sst2", "rte"), ("mixout", "adamw"), (3, 0), "smoke", "tiny", str(data_folder)))
    assert [(s.seed, s.task, s.technique()) for s in specs] == [
        (seed, task, technique) for seed in (3, 0) for task in ("sst2", "rte") for technique in ("mixout", "adamw")
    ]
    assert len({s.run_id() for s in specs}) == 8


def test_a_plan_names_what_it_runs_by_value(data_folder: Path) -> None:
    (spec,) = plan(Grid(("rte",), ("llrd:decay=0.9",), (7,), "smoke", "tiny", str(data_folder)))
    assert (spec.task_version, spec.profile_name) == (TASKS.get("rte").version, "smoke")
    assert spec.profile == PROFILES.get("smoke")("rte", TASKS.get("rte").format)
    assert spec.data.name == str(data_folder)
    assert spec.model.fingerprint.startswith("random:")
    assert dict(spec.stack[0].params)["decay"] == 0.9


@pytest.mark.parametrize("double", ["llrd", "llrd:decay=0.95", " llrd "])
def test_what_is_asked_for_twice_is_run_once(small: Grid, double: str) -> None:
    asked = dataclasses.replace(small, tasks=("sst2", "sst2"), techniques=("llrd", double), seeds=(1, 0, 1))
    assert [(s.technique(), s.seed) for s in plan(asked)] == [("llrd", 1), ("llrd", 0)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("sst2", "sst22")}, "unknown task 'sst22': did you mean 'sst2'"),
        ({"techniques": ("mixuot",)}, "unknown technique 'mixuot': did you mean 'mixout'"),
        ({"techniques": ("llrd:deacy=0.9",)}, "unknown field of technique llrd 'deacy': did you mean 'decay'"),
        ({"model": "minlm"}, "unknown model 'minlm': did you mean 'minilm'"),
        ({"profile": "smok"}, "unknown profile 'smok': did you mean 'smoke'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(small: Grid, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPlan, match=message):
        plan(dataclasses.replace(small, **changes))


def test_unknown_data_are_answered_with_the_nearest(small: Grid) -> None:
    with pytest.raises(BadPlan, match=r"'embeded' is neither .* did you mean 'embedded'"):
        plan(dataclasses.replace(small, data="embeded"))


def test_what_has_to_be_fetched_is_not_for_names_that_are_wrong(small: Grid) -> None:
    with pytest.raises(BadPlan) as refused:
        plan(dataclasses.replace(small, data="hub", profile="none"))
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["unknown profile 'none'"]


@pytest.mark.parametrize("axis", ["tasks", "techniques", "seeds", "frozen"])
def test_an_empty_grid_is_refused(small: Grid, axis: str) -> None:
    with pytest.raises(BadPlan, match=rf"{axis} is \(\); allowed: at least one"):
        plan(dataclasses.replace(small, **{axis: ()}))


def test_frozen_streams_enter_the_spec(small: Grid) -> None:
    frozen = (("order", 5), ("subset", 0))
    one, other = (
        plan(dataclasses.replace(small, techniques=("adamw",), frozen=(f,))) for f in (frozen, (("subset", 0),))
    )
    assert [[spec.base_seed(stream) for stream in STREAMS] for spec in one] == [[0, 5, 0, 0, 0], [1, 5, 1, 1, 0]]
    assert not {s.run_id() for s in one} & {s.run_id() for s in other}


def test_an_unknown_stream_is_refused(small: Grid) -> None:
    with pytest.raises(BadPlan, match="frozen stream is 'odrer'; allowed: init, order"):
        plan(dataclasses.replace(small, frozen=((("odrer", 0),),)))


def test_all_tasks_are_those_that_the_data_have() -> None:
    assert all_tasks("embedded") == ("imdb", "sst2", "conll2003", "squad")
    assert all_tasks("hub") == all_tasks("some/folder") == STANDARD


# ---- the plan of arms ------------------------------------------------------------------------------------------------


def varying(grid: Grid, text: str, **changes: Any) -> Grid:
    grid = dataclasses.replace(grid, **changes)
    return dataclasses.replace(grid, frozen=parse_vary(text, grid.seeds))


def test_arms_are_planned_for_all_cells_of_a_seed_before_the_next(small: Grid) -> None:
    specs = plan(varying(small, "order,init+dropout", seeds=(3, 0)))
    places = [(s.seed, s.technique(), [s.base_seed(stream) for stream in STREAMS]) for s in specs]
    assert places == [
        (seed, technique, place)
        for seed in (3, 0)
        for technique in ("adamw", "mixout")
        for place in ([0, seed, 0, 0, 0], [seed, 0, seed, 0, 0])
    ]
    assert len({s.run_id() for s in specs}) == 8


def test_a_grid_of_two_streams_holds_every_pair_of_seeds(small: Grid) -> None:
    specs = plan(varying(small, "orderxinit", techniques=("adamw",), seeds=(0, 2, 5)))
    pairs = [(s.base_seed("init"), s.base_seed("order")) for s in specs]
    assert pairs == [(a, b) for a in (0, 2, 5) for b in (0, 2, 5)]
    assert {s.base_seed(stream) for s in specs for stream in ("dropout", "augment", "subset")} == {0}
    assert len({s.run_id() for s in specs}) == 9


def test_an_arm_that_is_asked_for_twice_is_run_once(small: Grid) -> None:
    arms = ((("subset", 0), ("order", 1)), (("order", 1), ("subset", 0)))
    specs = plan(dataclasses.replace(small, techniques=("adamw",), frozen=arms))
    assert [(s.seed, s.frozen) for s in specs] == [(seed, (("order", 1), ("subset", 0))) for seed in (0, 1)]


class Doubles(Technique):
    """Trains on every example twice, in an order that it draws."""

    name, paper, identity = "doubles", "none", None

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def augment(self, corpus: Any) -> Any:
        return [corpus.train[i] for i in corpus.generator.permutation(len(corpus.train))] * 2


@pytest.mark.parametrize("text", ["augment", "init,augment", "initxaugment", "init,init+augment"])
def test_augmentation_varies_where_something_augments(small: Grid, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "doubles", Doubles)
    message = (
        "runs of adamw on sst2 would be equal, since no technique of the stack draws from augment; leave augment out of"
    )
    with pytest.raises(BenchError, match=message):
        plan(varying(small, text, techniques=("doubles", "adamw")))
    arms = len(parse_vary(text, small.seeds))
    assert len(plan(varying(small, text, techniques=("doubles",)))) == 2 * arms


@pytest.mark.parametrize("technique", ["eda", "mixup", "token_cutoff", "tapt:epochs=1", "fgm+synonym"])
def test_augmentation_varies_where_something_draws_from_its_stream(small: Grid, technique: str) -> None:
    assert len(plan(varying(small, "init,augment", techniques=(technique,)))) == 4
    with pytest.raises(BenchError, match="no technique of the stack draws from augment"):
        plan(varying(small, "augment", techniques=("dedupe",)))


def test_the_examples_of_another_task_vary_where_all_of_the_own_are_trained_on(small: Grid) -> None:
    whole = varying(small, "subset", axes=(("train_examples", (None,)),))
    assert len(plan(dataclasses.replace(whole, techniques=("intermediate_task:task=imdb",)))) == 2
    with pytest.raises(BenchError, match="examples are trained on; leave"):
        plan(dataclasses.replace(whole, techniques=("adamw",)))


def test_the_examples_vary_where_some_are_left_out(small: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    given = len(load_data(TASKS.get("sst2"), small.data).train)
    family, tried = PROFILES.get("smoke"), varying(small, "init,subset", techniques=("adamw",))
    for size in (None, given, given + 1, given - 1):
        whole = dataclasses.replace(family, base=dataclasses.replace(family.base, train_examples=size))
        monkeypatch.setitem(PROFILES._entries, "smoke", whole)
        if size == given - 1:
            assert len(plan(tried)) == 4
            continue
        message = (
            rf"adamw on sst2 would be equal, since .* and all {given:,} examples are trained on; leave .*subset out"
        )
        with pytest.raises(BenchError, match=message):
            plan(tried)
        # What does vary is no matter of what does not, as long as no two arms come to the same.
        assert len(plan(varying(tried, "all,order"))) == 4


def test_what_varies_beside_something_inert_is_run(small: Grid) -> None:
    assert len(plan(varying(small, "init+augment", techniques=("adamw",)))) == 2
    everything_held = tuple((stream, 0) for stream in sorted(STREAMS))
    assert len(plan(dataclasses.replace(small, frozen=(everything_held,)))) == 4


def test_the_examples_vary_where_their_labels_do(small: Grid) -> None:
    grid = varying(small, "init,subset", techniques=("adamw",), axes=(("train_examples", (None,)),))
    with pytest.raises(BenchError, match=r"examples are trained on; leave .*subset out"):
        plan(grid)
    assert len(plan(dataclasses.replace(grid, axes=(*grid.axes, ("label_noise", (0.1,)))))) == 4
    assert len(plan(dataclasses.replace(grid, axes=(("per_class", (2,)),)))) == 4


@pytest.mark.parametrize("axis", ["train_examples", "per_class"])
def test_before_training_only_the_head_varies(small: Grid, axis: str) -> None:
    untrained = dataclasses.replace(small, techniques=("adamw",), axes=((axis, (0,)),))
    with pytest.raises(BenchError, match="since there is nothing to train on; leave order and dropout and augment and"):
        plan(varying(untrained, "init,order"))
    assert len(plan(varying(untrained, "init"))) == 2


def test_every_value_of_an_axis_is_run_with_everything(small: Grid) -> None:
    axes = (("label_noise", (0.0, 0.25)), ("train_examples", (8, 16)))
    specs = plan(dataclasses.replace(small, axes=axes))
    assert len({s.run_id() for s in specs}) == len(specs) == 2 * 2 * 4
    first = [(s.profile.label_noise, s.profile.train_examples, s.profile_name) for s in specs if s.seed == 0][:4]
    assert first == [
        (0.0, 8, "smoke:train_examples=8"),
        (0.0, 16, "smoke:train_examples=16"),
        (0.25, 8, "smoke:train_examples=8:label_noise=0.25"),
        (0.25, 16, "smoke:train_examples=16:label_noise=0.25"),
    ]


def test_an_axis_at_its_default_is_the_plain_profile(small: Grid) -> None:
    plain = plan(small)
    assert plan(dataclasses.replace(small, axes=(("label_noise", (0.0,)), ("attack", (0.0,))))) == plain
    with pytest.raises(BadPlan, match="axis label_noise is"):
        plan(dataclasses.replace(small, axes=(("label_noise", ()),)))


@pytest.mark.parametrize("technique", ["ensemble:members=2", "llrd+greedy_soup:members=2"])
def test_pools_have_no_arms(small: Grid, technique: str) -> None:
    message = "pools several seeds into one record, so no stream of it varies alone; leave it out"
    with pytest.raises(BenchError, match=re.escape(f"{technique} {message}")):
        plan(varying(small, "init,order", techniques=("adamw", technique)))
    with pytest.raises(BenchError, match=message):
        refuse_pools(["adamw", technique])
    refuse_pools(["adamw", "llrd+reinit"])


def test_a_stopped_sweep_has_arms_of_the_same_size(small: Grid, store: Store) -> None:
    grid = varying(small, "init,order,dropout", techniques=("adamw",), seeds=(0, 1, 2))
    with pytest.raises(StopHereError):
        run_suite(grid, store, Fake(), stop_after(6))
    assert Counter(record.seed for record in store.records()) == {0: 3, 1: 3}
    rest = Fake()
    assert run_suite(grid, store, rest).stored == 6
    assert [spec.seed for job in rest.jobs for spec in job] == [2, 2, 2]


def test_arms_train_and_meet_where_their_streams_do(small: Grid, store: Store) -> None:
    run_suite(varying(small, "init,order,all", techniques=("adamw",)), store, InlineExecutor())
    runs: dict[int, dict[bytes, int]] = {0: Counter(), 1: Counter()}
    for record in store.records():
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        runs[record.seed][predictions.values.tobytes()] += 1
    # With seed 0 every stream stands at 0 in all three.
    assert sorted(runs[0].values()) == [3]
    assert sorted(runs[1].values()) == [1, 1, 1]


# ---- the plan of pools -----------------------------------------------------------------------------------------------

KEPT, NOT = True, False


def planned(grid: Grid) -> list[tuple[str, str, int, bool]]:
    return [(s.task, s.technique(), s.seed, s.keep_weights) for s in plan(grid)]


def test_the_members_of_a_pool_are_planned_with_it(small: Grid) -> None:
    grid = dataclasses.replace(small, techniques=("ensemble:members=2+llrd",))
    assert planned(grid) == [
        ("sst2", "llrd", 0, NOT),
        ("sst2", "llrd", 1, NOT),
        ("sst2", "ensemble:members=2+llrd", 0, NOT),
    ]
    assert plan(dataclasses.replace(small, techniques=("llrd",))) == plan(grid)[:2]


def test_pools_go_by_full_groups_of_seeds(small: Grid) -> None:
    pool, soup = "ensemble:members=2", "greedy_soup:members=3"
    grid = dataclasses.replace(small, techniques=(pool, "llrd", soup), seeds=(0, 1, 2, 3, 4, 7))
    assert [(name, seed) for _, name, seed, _ in planned(grid)] == [
        ("adamw", 0),
        ("llrd", 0),
        ("adamw", 1),
        ("llrd", 1),
        ("adamw", 2),
        ("llrd", 2),
        (soup, 0),
        ("adamw", 3),
        ("llrd", 3),
        ("llrd", 4),
        ("llrd", 7),
        (pool, 0),
        (pool, 2),
    ]


def test_a_pool_does_not_change_the_order_of_the_seeds(small: Grid) -> None:
    """And one that needs weights comes as soon as its members are there, whatever their order."""
    soup = "greedy_soup:members=2"
    grid = dataclasses.replace(small, tasks=("sst2", "conll2003"), techniques=(soup, "llrd"), seeds=(3, 1, 2, 0))
    assert planned(grid) == [
        *(
            cell
            for s in (3, 1, 2)
            for t in ("sst2", "conll2003")
            for cell in ((t, "adamw", s, KEPT), (t, "llrd", s, NOT))
        ),
        ("sst2", soup, 2, NOT),
        ("conll2003", soup, 2, NOT),
        *(cell for t in ("sst2", "conll2003") for cell in ((t, "adamw", 0, KEPT), (t, "llrd", 0, NOT))),
        ("sst2", soup, 0, NOT),
        ("conll2003", soup, 0, NOT),
    ]


@pytest.mark.parametrize("first", ["adamw", "greedy_soup:members=2", "ensemble:members=2"])
def test_a_run_that_several_ask_for_is_planned_once_and_keeps_its_weights_for_one(small: Grid, first: str) -> None:
    names = dict.fromkeys(
        [first, "adamw", "ensemble:members=2", "greedy_soup:members=2", "adamw+greedy_soup:members=1"]
    )
    specs = plan(dataclasses.replace(small, techniques=tuple(names)))
    assert [(s.seed, s.keep_weights) for s in specs if s.technique() == "adamw"] == [(0, KEPT), (1, KEPT)]
    assert len({s.run_id() for s in specs}) == len(specs) == 2 + 1 + 1 + 2


def test_keeping_weights_changes_no_identity(small: Grid) -> None:
    (spec, _) = plan(dataclasses.replace(small, techniques=("adamw",)))
    assert dataclasses.replace(spec, keep_weights=True).run_id() == spec.run_id()


def test_what_is_declined_beforehand_has_no_members(small: Grid) -> None:
    grid = dataclasses.replace(
        small, tasks=("squad", "sst2"), techniques=("ensemble:members=2", "greedy_soup:members=2")
    )
    assert [(task, name, seed) for task, name, seed, _ in planned(grid) if task == "squad"] == [
        ("squad", "adamw", 0),
        ("squad", "adamw", 1),
        ("squad", "greedy_soup:members=2", 0),
        ("squad", "ensemble:members=2", 0),
    ]
    alone = dataclasses.replace(grid, techniques=("ensemble:members=2",))
    assert ("squad", "adamw") not in [cell[:2] for cell in planned(alone)]
    unfrozen = dataclasses.replace(grid, techniques=("greedy_soup:members=2",), frozen=((),))
    assert {name for _, name, _, _ in planned(unfrozen)} == {"greedy_soup:members=2"}


@pytest.mark.parametrize(
    ("technique", "seeds", "groups"),
    [
        ("ensemble", (0, 1, 2, 3), "whole groups of 5: 0-4"),
        ("llrd+ensemble", (1, 2, 3, 4, 5), "whole groups of 5: 0-4, 5-9"),
        ("greedy_soup:members=2", (1, 4, 7, 8, 11), "whole groups of 2: 0-1, 4-5, 6-7, ..."),
    ],
)
def test_seeds_that_make_up_no_pool_are_answered_with_the_groups(
    small: Grid, technique: str, seeds: tuple[int, ...], groups: str
) -> None:
    message = f"seeds for {technique} is {list(seeds)}; allowed: {groups}"
    with pytest.raises(BadPlan, match=re.escape(message)):
        plan(dataclasses.replace(small, techniques=("adamw", technique), seeds=seeds))


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ("ensemble+greedy_soup", "ensemble and greedy_soup cannot be stacked: a pool is not made of pools"),
        ("greedy_soup:members=2+ema", "pools the weights that training ends with, and ema evaluates others"),
        ("greedy_soup:members=2+early_stopping", "and early_stopping evaluates others; leave it out, or take ensemble"),
    ],
)
def test_what_cannot_be_pooled_is_refused_before_anything_runs(small: Grid, stack: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        plan(dataclasses.replace(small, techniques=(stack,)))


def test_all_techniques_are_those_that_the_seeds_allow() -> None:
    fives, tens, twos = {"ensemble", "greedy_soup", "uniform_soup"}, {"start_many"}, {"model_stock"}
    left_out = {
        tuple(range(10)): set(),
        (0, 1, 2, 3, 4): tens,
        (7, 4, 3, 2, 1, 0): tens,
        tuple(range(5, 15)): tens,
        (0, 1, 2, 3): fives | tens,
        (1, 2, 3, 4, 5): fives | tens,
        (0,): fives | tens | twos,
        (0, 2, 4, 6, 8): fives | tens | twos,
    }
    for seeds, names in left_out.items():
        assert all_techniques(seeds) == tuple(name for name in TECHNIQUES.names() if name not in names)


# ---- groups ----------------------------------------------------------------------------------------------------------


def test_observers_ride_on_the_training_that_they_share(small: Grid) -> None:
    techniques = (
        "adamw",
        "llrd+ema",
        "ema",
        "mixout",
        "llrd",
        "early_stopping",
        "ema+early_stopping",
        "llrd:decay=0.5",
    )
    groups = grouped(plan(dataclasses.replace(small, techniques=techniques)))
    assert [[(s.technique(), s.seed) for s in group] for group in groups] == [
        [(technique, seed) for technique in shared]
        for seed in (0, 1)
        for shared in (
            ("adamw", "ema", "early_stopping", "ema+early_stopping"),
            ("llrd+ema", "llrd"),
            ("mixout",),
            ("llrd:decay=0.5",),
        )
    ]


def test_nothing_is_no_group() -> None:
    assert grouped([]) == []


def test_a_shared_training_is_trained_once_and_gives_every_record(small: Grid, store: Store) -> None:
    executor = Counting()
    progress = run_suite(dataclasses.replace(small, techniques=OBSERVERS, seeds=(0,)), store, executor)
    assert [len(job) for job in executor.jobs] == [3, 1]
    assert progress.finished == 4
    records = by_cell(store)
    shared = {records[name, 0].training_id for name in ("adamw", "ema", "early_stopping")}
    assert shared == {records["adamw", 0].training_id} != {records["llrd+ema", 0].training_id}


# ---- a sweep ---------------------------------------------------------------------------------------------------------


def test_a_sweep_stores_everything_and_the_same_again_trains_nothing(small: Grid, store: Store) -> None:
    first, second = Counting(), Counting()
    progress = run_suite(small, store, first)
    assert (progress.total, progress.stored, progress.finished, progress.left) == (4, 0, 4, 0)
    assert first.names == [("adamw", 0), ("mixout", 0), ("adamw", 1), ("mixout", 1)]
    assert store.ids() == {spec.run_id() for spec in plan(small)}
    assert all(Status(r.status).completed and r.attempts == 1 and r.cost.steps == 4 for r in store.records())
    before = contents(store)
    again = run_suite(small, store, second)
    assert second.jobs == []
    assert (again.total, again.stored, again.finished, again.last) == (4, 4, 0, None)
    assert contents(store) == before


def test_only_what_is_new_in_a_grid_is_trained(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake())
    wider = Fake()
    progress = run_suite(dataclasses.replace(small, seeds=(0, 2), techniques=("adamw", "ema")), store, wider)
    assert [(s.technique(), s.seed) for job in wider.jobs for s in job] == [("ema", 0), ("adamw", 2), ("ema", 2)]
    assert (progress.total, progress.stored, progress.finished) == (4, 1, 3)


@pytest.fixture(scope="module")
def whole(small: Grid, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a sweep comes to that nobody stopped."""
    store = Store(tmp_path_factory.mktemp("whole"))
    run_suite(dataclasses.replace(small, techniques=SWEPT), store, InlineExecutor())
    return contents(store)


@pytest.mark.parametrize("done", [1, 2, 4])
def test_a_killed_sweep_goes_on_with_what_is_missing(small: Grid, store: Store, whole: list[str], done: int) -> None:
    grid = dataclasses.replace(small, techniques=SWEPT)
    with pytest.raises(StopHereError):
        run_suite(grid, store, InlineExecutor(), stop_after(done))
    assert len(store.ids()) == done
    rest = Counting()
    progress = run_suite(grid, store, rest)
    order = [(name, seed) for seed in (0, 1) for name in SWEPT]
    assert rest.names == order[done:]
    assert (progress.stored, progress.finished, progress.left) == (done, 6 - done, 0)
    assert contents(store) == whole


def test_an_interrupt_in_training_keeps_what_is_stored(
    small: Grid, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupts(Raises):
        name = "interrupts"

        def after_update(self, training: Training) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(TECHNIQUES._entries, "interrupts", Interrupts)
    with pytest.raises(KeyboardInterrupt):
        run_suite(dataclasses.replace(small, techniques=("adamw", "interrupts")), store, InlineExecutor())
    assert list(by_cell(store)) == [("adamw", 0)]


def test_an_executor_is_stopped_as_soon_as_the_sweep_fails(small: Grid, store: Store) -> None:
    executor = Fake()
    with pytest.raises(StopHereError) as held:
        run_suite(small, store, executor, stop_after(1))
    # While the exception, and with its traceback the sweep, is still there.
    assert executor.closed
    del held


def test_a_damaged_row_is_trained_again_once_it_was_met(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake())
    path = store.files("runs")[0]
    path.write_bytes(path.read_bytes()[:100])
    assert len(store.records()) == 3
    again = Fake()
    assert run_suite(small, store, again).finished == 1
    assert [spec.run_id() for job in again.jobs for spec in job] == [path.stem]


def test_progress_counts_what_is_stored_finished_failed_and_left(small: Grid, store: Store) -> None:
    run_suite(dataclasses.replace(small, seeds=(0,), techniques=("mixout",)), store, Fake())
    seen: list[Progress] = []
    timeout = Fake(lambda job: lost("timeout", "no result within 5 s") if job[0].technique() == "mixout" else {})
    last = run_suite(small, store, timeout, seen.append)
    assert [(p.total, p.stored, p.finished, p.left, p.failed) for p in seen] == [
        (4, 1, 0, 3, 0),
        (4, 1, 1, 2, 0),
        (4, 1, 2, 1, 0),
        (4, 1, 3, 0, 1),
    ]
    assert [p.last and (p.last.technique, p.last.seed) for p in seen] == [
        None,
        ("adamw", 0),
        ("adamw", 1),
        ("mixout", 1),
    ]
    assert last == seen[-1]
    assert last.statuses == Counter({"converged": 2, "timeout": 1})


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("technique", "status", "reason"),
    [
        (Raises, Status.CRASHED, "RuntimeError: the wheel came off"),
        (Explodes, Status.DIVERGED, "the loss was not finite at step 2"),
    ],
)
def test_a_training_that_fails_is_a_row_and_the_sweep_goes_on(
    small: Grid,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    technique: type[Technique],
    status: Status,
    reason: str,
) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, technique.name, technique)
    grid = dataclasses.replace(small, techniques=(technique.name, "adamw"), seeds=(0,))
    progress = run_suite(grid, store, InlineExecutor())
    records = by_cell(store)
    failed, sound = records[technique.name, 0], records["adamw", 0]
    assert failed.status == status
    assert reason in failed.reason
    assert failed.score is None
    assert Status(sound.status).completed
    assert sound.score is not None
    assert (progress.finished, progress.statuses[status]) == (2, 1)


@pytest.mark.parametrize(
    ("outcome", "status", "attempts"),
    [
        (lost("timeout", "no result within 5 s"), Status.TIMEOUT, 1),
        (lost("died", "the process was ended by signal 9 (Killed)", 3), Status.CRASHED, 3),
        (lost("raised", "ImportError: no module named torch"), Status.CRASHED, 1),
    ],
)
def test_a_job_of_which_nothing_came_back_is_a_row_for_each_of_its_runs(
    small: Grid, store: Store, outcome: dict[str, Any], status: Status, attempts: int
) -> None:
    executor = Fake(lambda job: outcome if job[0].seed == 0 else {})
    progress = run_suite(dataclasses.replace(small, techniques=("adamw", "ema")), store, executor)
    records = by_cell(store)
    for name in ("adamw", "ema"):
        row = records[name, 0]
        assert (row.status, row.reason, row.attempts) == (status, outcome["failure"].message, attempts)
        assert (row.score, row.cost.steps, row.metric) == (None, 0, "accuracy")
        assert records[name, 1].status == Status.CONVERGED
    assert progress.statuses == Counter({status.value: 2, "converged": 2})


def test_attempts_that_ended_well_are_counted(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake(lambda job: {"attempts": 2}))
    assert {(r.status, r.attempts) for r in store.records()} == {("converged", 2)}


def test_an_executor_that_gives_nothing_at_all_is_named(small: Grid, store: Store) -> None:
    with pytest.raises(BenchError, match="neither a result nor a failure"):
        run_suite(small, store, Fake(lambda job: {"result": None}))


# ---- trying again ----------------------------------------------------------------------------------------------------


def fail_some(job: Group) -> dict[str, Any]:
    fates = {("adamw", 0): lost("died", "gone", 3), ("mixout", 1): lost("timeout", "no result within 5 s")}
    return fates.get((job[0].technique(), job[0].seed), {})


@pytest.mark.parametrize("compacted", [False, True])
def test_stored_runs_of_a_status_are_tried_again_on_demand(small: Grid, store: Store, compacted: bool) -> None:
    run_suite(small, store, Fake(fail_some))
    if compacted:
        assert compact(store) == 4
    again = Fake()
    progress = run_suite(small, store, again, retry=frozenset({Status.CRASHED}))
    assert [(s.technique(), s.seed) for job in again.jobs for s in job] == [("adamw", 0)]
    assert (progress.stored, progress.finished, progress.left) == (3, 1, 0)
    outcomes = {cell: (r.status, r.attempts, r.reason) for cell, r in by_cell(store).items()}
    assert outcomes == {
        ("adamw", 0): ("converged", 4, ""),
        ("adamw", 1): ("converged", 1, ""),
        ("mixout", 0): ("converged", 1, ""),
        ("mixout", 1): ("timeout", 1, "no result within 5 s"),
    }


def test_without_a_retry_a_stored_failure_stays(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake(fail_some))
    again = Fake()
    assert run_suite(small, store, again).finished == 0
    assert again.jobs == []
    assert by_cell(store)["adamw", 0].status == Status.CRASHED


def test_what_fails_again_has_more_attempts(small: Grid, store: Store) -> None:
    both = frozenset({Status.CRASHED, Status.TIMEOUT})
    run_suite(small, store, Fake(fail_some))
    for _ in range(2):
        assert run_suite(small, store, Fake(fail_some), retry=both).finished == 2
    records = by_cell(store)
    assert (records["adamw", 0].attempts, records["mixout", 1].attempts) == (9, 3)


def test_a_retry_leaves_failures_of_other_grids_alone(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake(fail_some))
    again = Fake()
    run_suite(dataclasses.replace(small, seeds=(1,)), store, again, retry=frozenset({Status.CRASHED}))
    assert again.jobs == []
    assert by_cell(store)["adamw", 0].attempts == 3


# ---- executors -------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_results_do_not_depend_on_the_executor(small: Grid, tmp_path: Path) -> None:
    grid = dataclasses.replace(
        small, techniques=("mixout", "mixout+ensemble:members=2", "mixout+greedy_soup:members=2")
    )
    inline, local = Store(tmp_path / "inline"), Store(tmp_path / "local")
    run_suite(grid, inline, InlineExecutor())
    progress = run_suite(grid, local, LocalExecutor(workers=1))  # two at once are in test_local
    assert progress.finished == 4
    assert contents(local) == contents(inline)
    assert all(Status(record.status).completed for record in local.records())
    assert not [*(local.root / "weights").iterdir()]
