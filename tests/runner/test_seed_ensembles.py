"""Pools from the grid to the record, with the tiny model; what the techniques compute stands in their own tests."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bench_lib.harness.robustness
import bench_lib.runner.resolved
import bench_lib.runner.seed_ensembles
from bench_lib.core.errors import BadData, BenchError, Unsupported
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.seeds import derive
from bench_lib.core.spec import RunSpec
from bench_lib.executors import Done, InlineExecutor
from bench_lib.executors.base import attempt
from bench_lib.harness.datasets import Subset, data_key, dev_set, evaluation_set, train_examples
from bench_lib.harness.evaluate import evaluate
from bench_lib.models.load import load_tokenizer
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.members import members
from bench_lib.runner.resolved import resolve_run, spec_data
from bench_lib.runner.seed_ensembles import build_seed_ensemble
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.store import Store, verify
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TextExample
from bench_lib.tasks.scoring.metrics import score
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

Cell = tuple[str, str, int]
ENSEMBLE, SOUP = "ensemble:members=3", "greedy_soup:members=2"
SUMMED = ("steps", "tokens", "examples", "forward_passes", "backward_passes", "train_seconds", "setup_seconds")
CRASHED = frozenset({Status.CRASHED})


@dataclass
class Noting:
    """Runs jobs in this process; notes what was trained and what was pooled, and what weights lay there before each."""

    store: Store | None = None
    trained: list[Cell] = field(default_factory=list)
    pooled: list[Cell] = field(default_factory=list)
    kept: list[tuple[Cell, int]] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Generator[Any, None, None]:
        for job in jobs:
            cells = [(s.task, s.technique(), s.seed) for s in job]
            (self.trained if function is execute else self.pooled).extend(cells)
            if self.store is not None:
                self.kept.append((cells[0], len(weights(self.store))))
            yield Done(job, *attempt(function, job))


def weights(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "weights").glob("*"))


def by_cell(store: Store) -> dict[Cell, RunRecord]:
    return {(r.task, r.technique, r.seed): r for r in store.records()}


def predicted(store: Store, record: RunRecord) -> bytes:
    found = store.predictions(record.run_id)
    assert found is not None
    return found.values.tobytes()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def small(data_folder: Path) -> Callable[..., Grid]:
    def grid(*techniques: str, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> Grid:
        return dataclasses.replace(
            Grid(("sst2",), techniques, seeds, "smoke", "tiny", str(data_folder)),
            **changes,
        )

    return grid


@pytest.fixture(scope="module")
def wide(small: Callable[..., Grid]) -> Grid:
    return small(ENSEMBLE, SOUP, seeds=(0, 1, 2), tasks=("sst2", "conll2003", "squad"))


@pytest.fixture(scope="module")
def whole(wide: Grid, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Noting, Progress]:
    """Both pools on a task of each kind, from nothing."""
    store, noting = Store(tmp_path_factory.mktemp("whole")), Noting()
    return store, noting, run_suite(wide, store, noting)


# ---- the way through -------------------------------------------------------------------------------------------------


def test_members_are_trained_once_and_pooled(whole: tuple[Store, Noting, Progress], wide: Grid) -> None:
    store, noting, progress = whole
    both = [(task, seed) for task in ("sst2", "conll2003") for seed in (0, 1, 2)]
    # No ensemble of answer spans, so that its third member is not trained for nothing.
    assert sorted(noting.trained) == sorted((task, "adamw", seed) for task, seed in [*both, ("squad", 0), ("squad", 1)])
    assert noting.pooled == [(task, name, 0) for name in (SOUP, ENSEMBLE) for task in wide.tasks]
    assert (progress.total, progress.finished, progress.left) == (14, 14, 0)
    assert store.ids() == {spec.run_id() for spec in plan(wide)}
    assert verify(store) == []


def test_what_became_of_each(whole: tuple[Store, Noting, Progress]) -> None:
    records = by_cell(whole[0])
    declined = records.pop(("squad", ENSEMBLE, 0))
    assert (declined.status, declined.score, declined.cost.steps) == ("unsupported", None, 0)
    assert declined.reason.startswith("ensemble declines span tasks: only the best answer is stored")
    for record in records.values():
        assert Status(record.status).completed
        assert record.score is not None
        assert record.constant_baseline is not None
        assert record.status == ("converged" if record.score > record.constant_baseline else "collapsed")
        assert record.constant_baseline == records[record.task, "adamw", 0].constant_baseline
        assert record.metrics[record.metric] == record.score
        # Of a pool no parameter is new: it is made of trained ones.
        whole = records[record.task, "adamw", 0].provenance.keys()
        assert record.provenance.keys() | {"new_parameters", "head_layers"} == whole
    assert records["squad", SOUP, 0].timing.eval_seconds > 0


@pytest.mark.parametrize("task", ["sst2", "conll2003"])
def test_an_ensemble_is_computed_from_the_stored_predictions(
    whole: tuple[Store, Noting, Progress], wide: Grid, task: str
) -> None:
    store, records = whole[0], by_cell(whole[0])
    members = [store.predictions(records[task, "adamw", seed].run_id) for seed in (0, 1, 2)]
    logits = [member.values for member in members if member is not None]
    assert len(logits) == 3
    powers = [np.exp(values.astype(float)) for values in logits]
    mean = np.mean([p / p.sum(-1, keepdims=True) for p in powers], axis=0)
    found = store.predictions(records[task, ENSEMBLE, 0].run_id)
    assert found is not None
    np.testing.assert_allclose(np.exp(found.values), mean, rtol=1e-5)
    (spec,) = (s for s in plan(wide) if (s.task, s.technique()) == (task, ENSEMBLE))
    truth = [e.reference for e in _evaluation(spec).examples]
    classes: list[Any] = mean.argmax(-1).tolist()
    if task == "conll2003":
        assert found.lengths is not None
        assert found.lengths.tolist() == [len(tags) for tags in truth]
        ends = np.cumsum(found.lengths)
        classes = [classes[end - size : end] for size, end in zip(found.lengths, ends, strict=True)]
    assert records[task, ENSEMBLE, 0].metrics == score(TASKS.get(task), classes, truth)


def _key(spec: RunSpec) -> Any:
    return data_key(spec_data(spec), spec.model, spec.profile)


def _evaluation(spec: RunSpec) -> Any:
    return evaluation_set(_key(spec), spec.profile.eval_examples)


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_a_soup_is_computed_from_the_weights_that_training_ended_with(
    whole: tuple[Store, Noting, Progress], wide: Grid, task: str
) -> None:
    (spec,) = (s for s in plan(wide) if (s.task, s.technique()) == (task, SOUP))
    one, two = (execute([member])[0].weights for member in members(spec))
    assert one is not None
    assert two is not None
    mean = {name: one[name] + (two[name] - one[name]) / 2 for name in one}
    base = members(spec)[0]
    training = prepared(resolve_run(base), torch.device("cpu"))
    pad = load_tokenizer(spec.model).pad_token_id

    def scored(held: dict[str, np.ndarray], what: Any) -> Any:
        training.model.load_state_dict({n: torch.from_numpy(w) for n, w in held.items()}, strict=False)
        return evaluate(training, TASKS.get(task), what, pad)

    dev = dev_set(_key(spec), Subset(32, 0), 400)
    assert 1 <= len(dev.examples) <= 8
    values = [next(iter(scored(w, dev).metrics.values())) for w in (one, two, mean)]
    chosen = mean if values[2] >= max(values[:2]) else (two if values[1] > values[0] else one)
    expected, found = scored(chosen, _evaluation(spec)), by_cell(whole[0])[task, SOUP, 0]
    assert found.metrics == expected.metrics
    np.testing.assert_allclose(found.drift, expected.drift, rtol=1e-4)
    predictions = whole[0].predictions(found.run_id)
    assert predictions is not None
    np.testing.assert_allclose(predictions.values, expected.predictions.values, atol=1e-5)


def test_the_soup_is_chosen_on_what_no_member_was_trained_on(
    small: Callable[..., Grid], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev: list[Any] = []
    examined: list[Any] = []

    def noting(asked: list[Any]) -> Any:
        def noted(training: Any, task: Any, evaluation: Any, pad: int) -> Any:
            asked.append(evaluation.examples)
            return evaluate(training, task, evaluation, pad)

        return noted

    monkeypatch.setattr(bench_lib.runner.seed_ensembles, "evaluate", noting(dev))
    monkeypatch.setattr(bench_lib.harness.robustness, "evaluate", noting(examined))
    grid = small("greedy_soup:members=2", profile="smoke:dev_examples=3", frozen=((("subset", 3),),))
    run_suite(grid, store, InlineExecutor())
    last = examined[-1]
    assert len(dev) == 3
    assert set(map(len, dev)) == {3}
    (spec,) = (s for s in plan(small("adamw", seeds=(0,))))
    assert last == _evaluation(spec).examples
    examples = train_examples(spec_data(spec), Subset.of(spec.profile, 3))
    trained = {e.text for e in examples if isinstance(e, TextExample)}
    assert len(trained) > 1
    assert not trained & {e.text for examples in dev for e in examples}


def test_a_pool_costs_what_its_members_cost(whole: tuple[Store, Noting, Progress]) -> None:
    records = by_cell(whole[0])
    for name, seeds in ((ENSEMBLE, (0, 1, 2)), (SOUP, (0, 1))):
        found, parts = records["sst2", name, 0], [records["sst2", "adamw", seed] for seed in seeds]
        for what in SUMMED:
            assert found.columns()[what] == pytest.approx(sum(part.columns()[what] for part in parts)), what
        assert found.cost.steps == 4 * len(seeds)
        assert (found.cost.parameters, found.cost.trainable_parameters) == (
            parts[0].cost.parameters,
            parts[0].cost.trainable_parameters,
        )
        assert found.timing.peak_memory_bytes == max(part.timing.peak_memory_bytes for part in parts)
        assert (found.evaluations.steps, found.evaluations.scores) == ((found.cost.steps,), (found.score,))
        assert found.curve.loss == ()


def test_weights_are_dropped_once_they_are_pooled(whole: tuple[Store, Noting, Progress]) -> None:
    assert weights(whole[0]) == []


def test_the_same_again_does_nothing(whole: tuple[Store, Noting, Progress], wide: Grid) -> None:
    noting = Noting()
    progress = run_suite(wide, whole[0], noting)
    assert (noting.trained, noting.pooled) == ([], [])
    assert (progress.total, progress.stored, progress.finished) == (14, 14, 0)


# ---- stops and starts ------------------------------------------------------------------------------------------------


class StopHereError(Exception):
    """Ends a sweep from outside."""


def stop_after(records: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.finished == records:
            raise StopHereError

    return report


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_sweep_killed_at_any_point_goes_on(small: Callable[..., Grid], store: Store, done: int) -> None:
    """After a member, between the members and the pool, and after the pool, before its members' weights are gone."""
    grid = small("greedy_soup:members=2")
    with pytest.raises(StopHereError):
        run_suite(grid, store, InlineExecutor(), stop_after(done))
    assert len(weights(store)) == min(done, 2)
    noting = Noting()
    progress = run_suite(grid, store, noting)
    assert noting.trained == [("sst2", "adamw", seed) for seed in (0, 1)][done:]
    assert len(noting.pooled) == (done < 3)
    assert (progress.stored, progress.left) == (done, 0)
    assert weights(store) == []
    assert Status(by_cell(store)["sst2", "greedy_soup:members=2", 0].status).completed


def test_weights_are_kept_for_no_more_than_one_group(small: Callable[..., Grid], store: Store) -> None:
    noting = Noting(store)
    run_suite(small("greedy_soup:members=2", "ensemble:members=2", seeds=(0, 1, 2, 3)), store, noting)
    assert noting.kept == [
        (("sst2", "adamw", 0), 0),
        (("sst2", "adamw", 1), 1),
        (("sst2", "greedy_soup:members=2", 0), 2),
        (("sst2", "adamw", 2), 0),
        (("sst2", "adamw", 3), 1),
        (("sst2", "greedy_soup:members=2", 2), 2),
        (("sst2", "ensemble:members=2", 0), 2),
        (("sst2", "ensemble:members=2", 2), 2),
    ]
    assert weights(store) == []


def test_members_that_are_stored_are_not_trained_again(small: Callable[..., Grid], store: Store) -> None:
    run_suite(small("adamw"), store, InlineExecutor())
    noting = Noting()
    run_suite(small("adamw", "ensemble:members=2"), store, noting)
    assert noting.trained == []
    assert noting.pooled == [("sst2", "ensemble:members=2", 0)]


def test_members_stored_without_their_weights_are_named(small: Callable[..., Grid], store: Store) -> None:
    run_suite(small("adamw", seeds=(1,)), store, InlineExecutor())
    noting = Noting()
    message = r"greedy_soup:members=2 needs the weights .* 1 of them were stored without \(sst2 adamw seed 1\); take a"
    with pytest.raises(BenchError, match=message):
        run_suite(small("ensemble:members=2", "greedy_soup:members=2"), store, noting)
    assert noting.trained == []


@pytest.mark.exhaustive
def test_members_that_are_trained_again_are_pooled_by_what_they_end_with_then(
    small: Callable[..., Grid], store: Store
) -> None:
    run_suite(small("adamw", seeds=(1,)), store, InlineExecutor())
    noting, judged = Noting(), frozenset({Status.CONVERGED, Status.COLLAPSED})
    run_suite(small("greedy_soup:members=2"), store, noting, retry=judged)
    assert noting.trained == [("sst2", "adamw", 0), ("sst2", "adamw", 1)]
    assert Status(by_cell(store)["sst2", "greedy_soup:members=2", 0].status).completed


def test_no_weights_are_kept_for_what_needs_none(small: Callable[..., Grid], store: Store) -> None:
    noting = Noting(store)
    run_suite(small("adamw", "ensemble:members=2"), store, noting)
    assert [count for _, count in noting.kept] == [0, 0, 0]
    assert weights(store) == []


# ---- members that fail -----------------------------------------------------------------------------------------------


class Fails(Technique):
    """Fails in the middle of the training, for the seeds that it is told."""

    name, paper, identity = "fails", "none", None
    seeds: tuple[int, ...] = ()
    crash = False

    def after_update(self, training: Training) -> None:
        if training.seed("init") not in [derive(seed, "init") for seed in self.seeds]:
            return
        if self.crash:
            raise RuntimeError("the wheel came off")
        next(iter(training.trainable().values())).data.fill_(math.nan)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> type[Fails]:
    monkeypatch.setitem(TECHNIQUES._entries, "fails", Fails)
    monkeypatch.setattr(Fails, "seeds", ())
    monkeypatch.setattr(Fails, "crash", False)
    return Fails


BOTH = ("ensemble:members=2+fails", "greedy_soup:members=2+fails")


@pytest.mark.parametrize("lost", [0, 1])
def test_a_member_that_diverged_is_left_out(
    small: Callable[..., Grid], store: Store, fails: type[Fails], lost: int
) -> None:
    fails.seeds = (lost,)
    with pytest.raises(StopHereError):
        run_suite(small(*BOTH), store, InlineExecutor(), stop_after(2))
    assert run_suite(small(*BOTH), store, InlineExecutor()).finished == 2
    records = by_cell(store)
    assert records["sst2", "fails", lost].status == "diverged"
    sound = records["sst2", "fails", 1 - lost]
    for name in BOTH:
        found = records["sst2", name, 0]
        assert f"left out: seed {lost} diverged" in found.reason
        assert (found.status, found.score, found.metrics) == (sound.status, sound.score, sound.metrics)
        assert predicted(store, found) == predicted(store, sound)
        assert found.cost.steps == sum(records["sst2", "fails", seed].cost.steps for seed in (0, 1)) > sound.cost.steps
        assert (found.cost.parameters, found.evaluations.steps) == (sound.cost.parameters, (found.cost.steps,))
    assert weights(store) == []
    assert run_suite(small(*BOTH), store, InlineExecutor()).finished == 0


def test_a_pool_of_which_every_member_diverged_has_diverged(
    small: Callable[..., Grid], store: Store, fails: type[Fails]
) -> None:
    fails.seeds = (0, 1)
    run_suite(small(*BOTH), store, InlineExecutor())
    records = by_cell(store)
    for name in BOTH:
        found = records["sst2", name, 0]
        assert (found.status, found.reason) == ("diverged", "all 2 members diverged")
        assert (found.score, found.evaluations.steps, found.evaluations.scores) == (None, (), ())
        assert found.cost.steps == sum(records["sst2", "fails", seed].cost.steps for seed in (0, 1)) > 0
        assert found.constant_baseline == records["sst2", "fails", 0].constant_baseline is not None
        assert store.predictions(found.run_id) is None


@pytest.mark.exhaustive
def test_a_pool_waits_for_a_member_that_crashed(
    small: Callable[..., Grid], store: Store, fails: type[Fails], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the weights that it needs are kept for it, though a smaller pool of the same members is made."""
    fails.seeds, fails.crash = (1,), True
    grid = small(*BOTH, "greedy_soup:members=1+fails")
    progress = run_suite(grid, store, InlineExecutor())
    assert (progress.left, progress.statuses["crashed"]) == (3, 1)
    first = by_cell(store)["sst2", "fails", 0]
    assert weights(store) == [f"{first.run_id}.safetensors"]
    assert run_suite(grid, store, InlineExecutor()).finished == 0
    with pytest.raises(BenchError, match="lacks or that were lost to infrastructure: sst2 fails seed 1"):
        build_seed_ensemble(next(spec for spec in plan(grid) if spec.technique() == BOTH[0]), store)
    fails.seeds = ()
    noting = Noting()
    progress = run_suite(grid, store, noting, retry=CRASHED)
    assert noting.trained == [("sst2", "fails", 1)]
    assert {(name, seed) for _, name, seed in noting.pooled} == {
        (BOTH[0], 0),
        (BOTH[1], 0),
        ("greedy_soup:members=1+fails", 1),
    }
    assert progress.left == 0
    assert weights(store) == []


def test_a_member_that_was_declined_declines_the_pool(
    small: Callable[..., Grid], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(Technique):
        name, paper, identity = "refuses", "none", None

        def prepare(self, training: Training) -> None:
            raise Unsupported("refuses finds nothing to do")

    monkeypatch.setitem(TECHNIQUES._entries, "refuses", Refuses)
    run_suite(small("ensemble:members=2+refuses", "refuses+greedy_soup:members=2"), store, InlineExecutor())
    assert {(r.status, r.reason) for r in store.records()} == {("unsupported", "refuses finds nothing to do")}


def test_a_pool_that_fails_is_a_row_that_can_be_tried_again(
    small: Callable[..., Grid], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the wheel came off")

    grid = small("ensemble:members=2", "greedy_soup:members=2")
    with monkeypatch.context() as patch:
        patch.setattr(bench_lib.runner.seed_ensembles, "scored", broken)
        patch.setattr(bench_lib.runner.seed_ensembles, "evaluate", broken)
        progress = run_suite(grid, store, InlineExecutor())
    assert progress.statuses["crashed"] == 2
    pools = [r for r in store.records() if r.technique != "adamw"]
    assert all(r.status == "crashed" and "the wheel came off" in r.reason for r in pools)
    assert len(weights(store)) == 2
    noting = Noting()
    run_suite(grid, store, noting, retry=CRASHED)
    assert noting.trained == []
    pools = [r for r in store.records() if r.technique != "adamw"]
    assert [(Status(r.status).completed, r.attempts) for r in pools] == [(True, 2)] * 2
    assert weights(store) == []


@pytest.mark.parametrize("broken", [False, True])
def test_a_pool_is_isolated(
    small: Callable[..., Grid], store: Store, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    seen: list[Any] = []

    class Draws(Technique):
        name, paper, identity = "draws", "none", None

        def prepare(self, training: Training) -> None:
            torch.rand(1)

    def noted(training: Any, *rest: Any) -> Any:
        seen.append((training, torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        if broken:
            raise RuntimeError("the wheel came off")
        return evaluate(training, *rest)

    monkeypatch.setitem(TECHNIQUES._entries, "draws", Draws)
    monkeypatch.setattr(bench_lib.runner.seed_ensembles, "evaluate", noted)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    state = torch.get_rng_state()
    try:
        run_suite(small("draws+greedy_soup:members=2"), store, InlineExecutor())
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert [places[1:] for places in seen] == [(1, True)] * (1 if broken else 3)


def test_missing_predictions_are_named(whole: tuple[Store, Noting, Progress], wide: Grid, tmp_path: Path) -> None:
    store = Store(shutil.copytree(whole[0].root, tmp_path / "copy"))
    (spec,) = (s for s in plan(wide) if (s.task, s.technique()) == ("sst2", ENSEMBLE))
    shutil.rmtree(store.root / "predictions")
    with pytest.raises(BenchError, match=r"predictions of sst2 adamw seed 0 are missing .* stabbench store verify"):
        build_seed_ensemble(spec, store)


def test_data_that_changed_are_refused(
    whole: tuple[Store, Noting, Progress], wide: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spec,) = (s for s in plan(wide) if (s.task, s.technique()) == ("sst2", ENSEMBLE))
    found = spec_data(spec)
    changed = dataclasses.replace(found, fingerprint="another")
    monkeypatch.setattr(bench_lib.runner.resolved, "load_data", lambda *_: changed)
    with pytest.raises(BadData, match="the data of sst2 changed since this run was planned"):
        build_seed_ensemble(spec, whole[0])


# ---- what can be pooled ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "member"), [("ensemble:members=2+llrd", "llrd"), ("ema+ensemble:members=2", "ema"), (SOUP, "adamw")]
)
def test_a_pool_is_made_of_the_rest_of_its_stack(
    small: Callable[..., Grid], store: Store, stack: str, member: str
) -> None:
    run_suite(small(stack), store, InlineExecutor())
    records = by_cell(store)
    assert records.keys() == {("sst2", member, 0), ("sst2", member, 1), ("sst2", stack, 0)}
    assert Status(records["sst2", stack, 0].status).completed
    assert predicted(store, records["sst2", stack, 0]) != predicted(store, records["sst2", member, 0])


@pytest.mark.parametrize("frozen", [(), (("order", 3),)])
def test_without_a_common_subset_there_is_no_soup_and_nothing_is_trained_for_it(
    small: Callable[..., Grid], store: Store, frozen: tuple[tuple[str, int], ...]
) -> None:
    noting = Noting()
    run_suite(small("greedy_soup:members=2", frozen=(frozen,)), store, noting)
    (record,) = store.records()
    assert noting.trained == []
    assert (record.status, record.technique) == ("unsupported", "greedy_soup:members=2")
    assert record.reason == "no dev set is unread by every member where each trains on a subset of its own"
    run_suite(small("ensemble:members=2", frozen=(frozen,)), store, noting)
    assert Status(by_cell(store)["sst2", "ensemble:members=2", 0].status).completed


def test_where_all_is_trained_on_there_is_no_soup(make_spec: Callable[..., RunSpec], store: Store) -> None:
    spec = make_spec("sst2", "greedy_soup:members=2", train_examples=None)
    assert members(spec) == ()
    record = build_seed_ensemble(spec, store)
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert record.reason == "sst2 has no training example left for a dev set: all are trained on; lower train_examples"


@pytest.mark.parametrize("chooser", ["ema", "swa", "lawa", "early_stopping", "best_checkpoint", "layer_drop"])
def test_a_soup_of_weights_that_are_not_the_evaluated_ones_is_refused(
    small: Callable[..., Grid], store: Store, chooser: str
) -> None:
    for stack in (f"{chooser}+greedy_soup:members=2", f"greedy_soup:members=2+llrd+{chooser}"):
        with pytest.raises(BenchError, match=rf"the weights that training ends with, and {chooser} evaluates others"):
            run_suite(small(stack), store, InlineExecutor())
    assert not store.root.exists()


def test_a_pool_is_not_trained(make_spec: Callable[..., RunSpec]) -> None:
    with pytest.raises(BenchError, match="a seed ensemble is built from stored runs and not trained"):
        execute([make_spec("sst2", "ensemble")])


def test_weights_are_read_one_member_after_the_other(
    small: Callable[..., Grid], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def noting(event: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            events.append(event)
            return function(*arguments, **named)

        return noted

    monkeypatch.setattr(
        bench_lib.runner.seed_ensembles, "_weights", noting("read", bench_lib.runner.seed_ensembles._weights)
    )
    monkeypatch.setattr(
        bench_lib.runner.seed_ensembles, "evaluate", noting("score", bench_lib.runner.seed_ensembles.evaluate)
    )
    run_suite(small("greedy_soup:members=2"), store, InlineExecutor())
    assert events[:4] == ["read", "score"] * 2
