"""What techniques that pool trained seeds promise: the conformance suite as it applies where nothing is trained."""

from __future__ import annotations

import dataclasses
import functools
import random

import numpy as np
import pytest
import torch
from torch.nn.modules import module as torch_module

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord
from bench_lib.core.spec import canonical_json
from bench_lib.runner.execute import execute
from bench_lib.runner.members import SEES_DEV, members
from bench_lib.runner.seed_ensembles import build_seed_ensemble
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TOKEN_CLASSIFICATION
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import (
    POOLING,
    Augments,
    ChoosesRun,
    Compresses,
    Configures,
    EvaluatesUnder,
    Groups,
    MergesWeights,
    PoolsWeights,
    Prepares,
    Selects,
)
from bench_lib.techniques.interface.stack import parse_stack

NAMES = TECHNIQUES.names()
POOLS = tuple(n for n in NAMES if TECHNIQUES.get(n)().pools())
TRAINED = tuple(n for n in NAMES if n not in POOLS)
TASKS_TRIED = ("sst2", "rte", "conll2003", "squad")
CASES = [(n, t) for n in POOLS for t in TASKS_TRIED if TECHNIQUES.get(n)().declines(TASKS.get(t).format) is None]
SHORT = {"train_examples": 16, "eval_examples": 8}
SEEDS = (0, 1, 2)
CHOOSERS = tuple(n for n in TRAINED if isinstance(TECHNIQUES.get(n)(), Compresses | EvaluatesUnder | Selects))
SELECTORS = tuple(n for n in TRAINED if isinstance(TECHNIQUES.get(n)(), Selects))
MAKERS = tuple(
    n
    for n in TRAINED
    if isinstance(TECHNIQUES.get(n)(), Augments | Configures | Groups | Prepares)
    and n not in CHOOSERS
    and TECHNIQUES.get(n)().declines(TOKEN_CLASSIFICATION) is None
)
"""What the model is like that is evaluated depends on these hooks, and on no others."""
WITHOUT_SOUP = {"r4f": "its head is divided by a norm that the model keeps beside its weights"}


@pytest.fixture(scope="module")
def stored(make_spec, tmp_path_factory):
    """A store with the runs of a few seeds of a stack on a task, their weights kept; the same one for all tests."""

    def fill(task, stack="adamw", seeds=SEEDS):
        store = Store(tmp_path_factory.mktemp("stored"))
        for seed in seeds:
            spec = dataclasses.replace(make_spec(task, stack, seed, **SHORT), keep_weights=True)
            on_dev = make_spec(task, f"{stack}+{SEES_DEV}", seed, **SHORT)
            for record in execute([spec, on_dev]):
                store.append(record)
        return store

    return functools.cache(fill)


def runs_of(store: Store) -> list[RunRecord]:
    """The runs, without those that also record scores on the dev set."""
    return [record for record in store.records() if SEES_DEV not in record.technique]


def bits(record) -> str:
    values = record.predictions.values.tobytes().hex() if record.predictions else ""
    return canonical_json(record.result()) + values


def contents(store: Store) -> dict[str, bytes]:
    """Every file of a store."""
    return {str(path): path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


# 1. One member is the run itself.


def test_one_member_is_the_identity_setting_of_every_pool():
    assert all(TECHNIQUES.get(name).identity == {"members": 1} for name in POOLS)


def assert_the_run_itself(made, store, seed=0):
    (run,) = (record for record in runs_of(store) if record.seed == seed)
    assert run.score is not None
    fields = (
        "status",
        "reason",
        "score",
        "metrics",
        "trivial_score",
        "steps",
        "tokens",
        "forward_passes",
        "parameters",
    )
    assert [made.columns()[field] for field in fields] == [run.columns()[field] for field in fields]
    found = store.predictions(run.run_id)
    assert made.predictions.values.tobytes() == found.values.tobytes()
    assert (made.predictions.lengths is None) == (found.lengths is None)
    assert found.lengths is None or made.predictions.lengths.tolist() == found.lengths.tolist()


@pytest.mark.promise("identity")
@pytest.mark.parametrize(("name", "task"), CASES)
def test_one_member_is_the_run_itself_bit_for_bit(stored, make_spec, name, task):
    made = build_seed_ensemble(make_spec(task, f"{name}:members=1", seed=1, **SHORT), stored(task))
    assert_the_run_itself(made, stored(task), seed=1)


@pytest.mark.exhaustive
@pytest.mark.promise("stacks", of=("other",))
@pytest.mark.parametrize("other", MAKERS)
def test_one_member_of_a_stack_is_the_run_itself_bit_for_bit(stored, make_spec, other):
    """Whatever the stack makes of the model and of the settings, the evaluated one is the one that was trained."""
    store = stored("conll2003", other, (0,))
    for name in (POOLS[0], POOLS[1 + MAKERS.index(other) % (len(POOLS) - 1)]):
        made = build_seed_ensemble(make_spec("conll2003", f"{other}+{name}:members=1", **SHORT), store)
        if other in WITHOUT_SOUP and isinstance(TECHNIQUES.get(name)(), PoolsWeights | MergesWeights):
            assert made.status == "unsupported"
            assert "beside its weights, which have no mean over seeds" in made.reason
        else:
            assert_the_run_itself(made, store)


# 4. to 6. The same bits each time, and nothing else is changed.


@pytest.mark.promise("repeats")
@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_same_pool_has_the_same_bits_and_another_group_has_not(stored, make_spec, name, task):
    spec = make_spec(task, f"{name}:members=2", **SHORT)
    once = build_seed_ensemble(spec, stored(task))
    torch.manual_seed(123)
    assert bits(build_seed_ensemble(spec, stored(task))) == bits(once)
    other = build_seed_ensemble(make_spec(task, f"{name}:members=2", seed=1, **SHORT), stored(task))
    assert bits(other) != bits(once)
    assert other.run_id != once.run_id


def process_state() -> list[object]:
    flags = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    numbers = np.random.get_state()
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooks = [len(getattr(torch_module, f"_global{kind}")) for kind in kinds]
    generators = random.getstate(), numbers[1].tolist(), numbers[2:], torch.get_rng_state().tolist()
    return [flags, torch.get_num_threads(), torch.is_grad_enabled(), hooks, *generators]


@pytest.mark.promise("leaves no trace")
@pytest.mark.parametrize("stack", ["adamw", "mixout", "lora"])
@pytest.mark.parametrize("name", POOLS)
def test_a_pool_leaves_no_trace_and_its_members_untouched(stored, make_spec, name, stack):
    store = stored("sst2", stack)
    before, files = process_state(), contents(store)
    made = build_seed_ensemble(make_spec("sst2", f"{stack}+{name}:members=3", **SHORT), store)
    assert made.score is not None
    assert process_state() == before
    assert contents(store) == files


@pytest.mark.promise("leaves no trace")
@pytest.mark.parametrize("name", POOLS)
def test_a_pool_that_fails_leaves_no_trace(stored, make_spec, monkeypatch, name):
    def fail(*_):
        raise RuntimeError("out of luck")

    store = stored("sst2")
    for place in ("evaluate", "scored", "_load_into"):
        monkeypatch.setattr(f"bench_lib.runner.seed_ensembles.{place}", fail)
    before, files = process_state(), contents(store)
    with pytest.raises(RuntimeError, match="out of luck"):
        build_seed_ensemble(make_spec("sst2", f"{name}:members=3", **SHORT), store)
    assert process_state() == before
    assert contents(store) == files


# 7. On every task, or declined with a reason.


@pytest.mark.promise("runs")
@pytest.mark.parametrize("task", TASKS_TRIED)
@pytest.mark.parametrize("name", POOLS)
def test_pools_on_every_task_or_says_why_not(stored, make_spec, name, task):
    spec = make_spec(task, f"{name}:members=3", **SHORT)
    declined = TECHNIQUES.get(name)().declines(TASKS.get(task).format)
    if declined is None:
        made = build_seed_ensemble(spec, stored(task))
        assert made.status in ("converged", "collapsed"), made.reason
        assert made.reason or made.status == "converged"
        return
    # Without its members, which need not be trained for it.
    made = build_seed_ensemble(spec, Store(stored(task).root / "nowhere"))
    assert (made.status, made.score, members(spec)) == ("unsupported", None, ())
    assert made.reason == f"{name} declines {TASKS.get(task).format} tasks: {declined}"


# 8. Stacks.


@pytest.mark.promise("stacks", of=("other",))
@pytest.mark.parametrize("other", TRAINED)
def test_a_pool_stacks_with_anything_that_is_trained(make_spec, brief, other):
    for name in POOLS:
        for text in (f"{name}+{other}", f"{other}+{name}"):
            spec = make_spec("sst2", text, **SHORT)
            if other in CHOOSERS and isinstance(TECHNIQUES.get(name)(), PoolsWeights | MergesWeights):
                with pytest.raises(BenchError, match=f"{other} evaluates others; leave it out, or take ensemble"):
                    members(spec)
                continue
            parts = members(spec)
            sees = "+early_stopping:patience=0" if name == "start_many" and other not in SELECTORS else ""
            assert [part.technique() for part in parts] == [brief(other) + sees] * spec.pools()
            assert [part.seed for part in parts] == list(range(spec.pools()))
            assert {dataclasses.replace(part, stack=spec.stack, seed=0, keep_weights=False) for part in parts} == {spec}


@pytest.mark.promise("stacks")
@pytest.mark.parametrize("name", POOLS)
def test_a_pool_of_nothing_else_is_one_of_the_baseline_and_stacks_with_no_other_pool(make_spec, name):
    alone, named = members(make_spec("sst2", name)), members(make_spec("sst2", f"adamw+{name}"))
    assert [part.run_id() for part in alone] == [part.run_id() for part in named]
    for other in POOLS:
        with pytest.raises(BenchError, match=r"cannot be stacked: a pool is not made of pools|stands twice"):
            parse_stack(f"{name}+llrd+{other}", TECHNIQUES)


# 9. Cost declared.


@pytest.mark.promise("passes")
@pytest.mark.parametrize("name", POOLS)
def test_the_passes_of_a_pool_are_those_of_its_members_and_none_is_added(stored, make_spec, monkeypatch, name):
    count = {"forward": 0, "backward": 0}

    def forward(module, _inputs):
        count["forward"] += type(module).__name__ == "BertModel" and module.training

    def backward(*_args, **_kwargs):
        count["backward"] += 1

    store = stored("sst2", "r_drop")
    whole = ":kept=3" if isinstance(TECHNIQUES.get(name)(), ChoosesRun) else ""
    monkeypatch.setattr(torch.autograd, "backward", backward)
    hook = torch_module.register_module_forward_pre_hook(forward)
    try:
        made = build_seed_ensemble(make_spec("sst2", f"{name}:members=3{whole}+r_drop", **SHORT), store)
    finally:
        hook.remove()
    assert count == {"forward": 0, "backward": 0}
    for field in ("forward_passes", "backward_passes", "steps", "tokens", "examples"):
        assert getattr(made.cost, field) == sum(getattr(run.cost, field) for run in runs_of(store)) > 0


@pytest.mark.promise("declared")
@pytest.mark.parametrize("name", POOLS)
def test_declarations_of_a_pool(name):
    technique = TECHNIQUES.get(name)
    assert sum(issubclass(technique, hook) for hook in POOLING if hook not in (PoolsWeights, ChoosesRun)) <= 1
    assert sum(isinstance(technique(), hook) for hook in POOLING) == 1
    assert technique.observer
    assert [technique(members=size).pools() for size in (1, 2, 7)] == [1, 2, 7]
    assert technique().spec().pools == technique().members > 1
