"""Runs along the axes of a profile: before training, few examples of each class, wrong labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench_lib.core.record import Status
from bench_lib.executors import InlineExecutor
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES

TRAINED = [t.name for t in TECHNIQUES if not t().pools()]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", TRAINED)
def test_every_technique_has_a_score_before_training(make_spec: Any, name: str) -> None:
    """The loop evaluates once, and how robust that is can be measured; a technique may decline with its reason."""
    technique = TECHNIQUES.get(name)()
    task = next(task for task in ("sst2", "conll2003", "squad") if not technique.declines(TASKS.get(task).format))
    (record,) = execute([make_spec(task, name, train_examples=0, perturb=0.3, attack=1.0, eval_examples=8)])
    assert (record.cost.steps, record.cost.examples, record.curve.loss, record.cost.backward_passes) == (0, 0, (), 0)
    if record.status == Status.UNSUPPORTED:
        assert record.reason
        return
    assert (record.status, record.reason) == (Status.CONVERGED, "")
    assert record.evaluations.steps == (0,)
    assert record.evaluations.scores == (record.score,)
    assert None not in (record.robustness.perturbed, record.robustness.adversarial, record.constant_baseline)


def test_none_of_each_class_is_before_training_too(make_spec: Any) -> None:
    zero, none = (
        execute([make_spec("sst2", train_examples=size, per_class=each)])[0] for size, each in ((0, None), (None, 0))
    )
    assert (none.cost.steps, none.score, none.metrics) == (0, zero.score, zero.metrics)
    assert none.run_id != zero.run_id


def test_before_training_the_seed_of_the_head_decides_alone(make_spec: Any) -> None:
    held = (("init", 0), ("subset", 0))
    runs = [
        execute([dataclasses.replace(make_spec("conll2003", seed=seed, train_examples=0), frozen=frozen)])[0]
        for seed, frozen in ((0, held), (1, held), (1, (("subset", 0),)))
    ]
    values = [run.predictions.values.tobytes() for run in runs]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(("task", "examples"), [("sst2", 8), ("squad", 4)])
def test_so_many_of_each_class_are_trained_on(make_spec: Any, task: str, examples: int) -> None:
    (record,) = execute([make_spec(task, train_examples=None, per_class=4)])
    assert record.status in (Status.CONVERGED, Status.COLLAPSED)
    assert record.cost.examples >= examples  # a long context is several sequences
    if task == "sst2":
        assert record.cost.examples == examples


def test_a_class_that_has_too_few_is_a_reason(make_spec: Any) -> None:
    (record,) = execute([make_spec("conll2003", train_examples=None, per_class=4)])
    # The made-up sentences have no entity of this type.
    assert (record.status, record.reason) == (
        Status.UNSUPPORTED,
        "4 training examples of each class are asked for, and 0 hold 'MISC'",
    )


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_wrong_labels_change_the_training_and_not_the_evaluation(make_spec: Any, task: str) -> None:
    clean, noisy, same = (execute([make_spec(task, label_noise=share)])[0] for share in (0.0, 0.5, 0.5))
    assert noisy.result() == same.result()
    assert noisy.curve.loss != clean.curve.loss
    assert noisy.constant_baseline == clean.constant_baseline
    assert noisy.cost.tokens == clean.cost.tokens


def test_pools_follow_the_axes(make_spec: Any, data_folder: Any, tmp_path: Any) -> None:
    store = Store(tmp_path / "results")
    grid = Grid(
        ("sst2",), ("greedy_soup:members=2", "ensemble:members=2"), (0, 1), "smoke:perturb=0.3:attack=1.0", "tiny",
        str(data_folder), axes=(("train_examples", (0, 8)), ("label_noise", (0.0, 0.5))),
    )  # fmt: skip
    run_suite(grid, store, InlineExecutor())
    records = store.records()
    assert len(records) == 4 * 4
    for record in records:
        if "train_examples=0" in record.profile:
            assert (record.status, record.cost.steps) == (Status.CONVERGED, 0)
        # Predictions are stored of the clean inputs alone.
        assert (
            (record.robustness.perturbed is None)
            == (record.robustness.adversarial is None)
            == ("ensemble" in record.technique)
        )
