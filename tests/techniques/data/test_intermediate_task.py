from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

import bench_lib.runner.resolved
from bench_lib.core.errors import BadValue
from bench_lib.core.seeds import derive
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.techniques.data.intermediate_task import IntermediateTask

FEW = {"train_examples": 16, "eval_examples": 4}


def body(run):
    return {n: p for n, p in run.parameters.items() if n.startswith("bert.") and "pooler" not in n}


@pytest.mark.parametrize("task", ["rte", "conll2003", "squad"])
def test_the_training_begins_with_another_body_and_the_same_head(train, task):
    """Under the head of the baseline; without a rate of its own it has the profile's, here 0."""
    still = {**FEW, "learning_rate": 0.0}
    base, run = train(task, **still), train(task, "intermediate_task:task=sst2:epochs=2", **still)
    assert all(torch.equal(p, base.parameters[n]) for n, p in run.parameters.items())
    run = train(task, "intermediate_task:task=sst2:epochs=2:learning_rate=0.001", **still)
    assert run.record.reported["intermediate_task.steps"] == 4
    heads = [n for n in run.parameters if not n.startswith("bert.")]
    assert heads
    assert all(torch.equal(run.parameters[n], base.parameters[n]) for n in heads)
    assert all(not torch.equal(p, base.parameters[n]) for n, p in body(run).items() if p.dim() > 1)


def test_the_same_streams_give_the_same_body_as_a_run_of_its_own(train, monkeypatch):
    """With the streams of its stage in the place of the run's, the other task alone ends at the same weights."""
    still = {**FEW, "learning_rate": 0.0}
    run = train("conll2003", "intermediate_task:task=sst2:epochs=2:learning_rate=0.001", **still)
    monkeypatch.setattr(
        bench_lib.runner.resolved,
        "derive",
        lambda base, stream, *names: derive(base, stream, "intermediate_task", *names),
    )
    alone = train("sst2", "adamw", **FEW, epochs=2)
    assert all(torch.equal(p, alone.parameters[n]) for n, p in body(run).items())


def test_it_goes_on_from_what_went_before_it(train):
    """Without a rate nothing is learnt from the other task: the body is the one that the masked words left."""
    still, words = {**FEW, "learning_rate": 0.0}, "tapt:epochs=1:learning_rate=0.01"
    both, one = (train("squad", stack, **still) for stack in (f"{words}+intermediate_task:task=sst2", words))
    assert all(torch.equal(p, one.parameters[n]) for n, p in both.parameters.items())
    assert both.record.cost.forward_passes == one.record.cost.forward_passes + 6


def test_a_body_is_handed_over_to_a_class_that_calls_it_differently(make_spec, families):
    """As Llama's class for answer spans does."""
    model = resolve(str(families.folder("llama")), MODELS)
    still = {**FEW, "learning_rate": 0.0, "max_length": 60, "stride": 8}
    spec = make_spec("squad", "intermediate_task:task=sst2:epochs=2:learning_rate=0.01", **still)
    (record,) = execute([replace(spec, model=model)])
    assert record.status in ("converged", "collapsed"), record.reason
    assert all(moved > 0 for moved in record.drift)


def test_how_much_of_the_other_task_is_trained_on(train):
    for stack, steps in (("", 3 * 2), (":examples=32", 3 * 4), (":examples=9:epochs=1", 2)):
        record = train("squad", f"intermediate_task{stack}", **FEW).record
        assert record.reported["intermediate_task.steps"] == steps


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("sst2", "sst2, which is the run's own task; choose another"),
        ("imdb", "needs the task imdb from the run's data source: no .*imdb"),
        ("mnli", "needs the task mnli from the run's data source: unknown task 'mnli'"),
    ],
)
def test_a_task_that_cannot_go_first_is_declined_with_the_reason(make_spec, other, why):
    (record,) = execute([make_spec("sst2", f"intermediate_task:task={other}", **FEW)])
    assert record.status == "unsupported"
    assert re.search(why, record.reason), record.reason


def test_a_task_has_a_name():
    with pytest.raises(BadValue, match="intermediate_task:task"):
        IntermediateTask(task="")
