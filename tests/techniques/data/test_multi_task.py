from __future__ import annotations

import re

import pytest
import torch

from bench_lib.core.errors import BadValue
from bench_lib.harness.gradients import Gradients
from bench_lib.harness.joint import JointTask
from bench_lib.techniques.data.multi_task import MultiTask

FEW = {"train_examples": 16, "eval_examples": 4}
"""Two steps on batches of 8."""


@pytest.fixture
def first_gradients(train, monkeypatch):
    """The gradients of the first step of a run, by parameter."""

    def found(task, stack, **changes):
        seen = []
        settle = Gradients.settle

        def noted(self):
            seen.append({n: p.grad.clone() for n, p in self.training.trainable().items() if p.grad is not None})
            return settle(self)

        with monkeypatch.context() as patch:
            patch.setattr(Gradients, "settle", noted)
            record = train(task, stack, **FEW, **changes).record
        assert seen, record.reason
        return seen[0]

    return found


@pytest.mark.parametrize("task", ["rte", "conll2003", "squad"])
def test_the_loss_is_the_sum_of_the_tasks(first_gradients, task):
    """The gradient grows in proportion to the weight: in the body, not in the run's own head, and in the new one."""
    zero, half, one = (first_gradients(task, f"multi_task:tasks=sst2:weight={w}", dropout=0.0) for w in (0, 0.5, 1))
    own = [n for n in zero if not n.startswith("bert.")]
    assert own
    assert all(torch.equal(zero[n], one[n]) for n in own)
    body = [n for n in zero if ".layer." in n]
    for name in body:
        assert not torch.equal(zero[name], one[name])
        torch.testing.assert_close(half[name] - zero[name], (one[name] - zero[name]) / 2, rtol=1e-3, atol=1e-6)
    new = one.keys() - zero.keys()
    assert {name.split(".")[0] for name in new} == {"joint_heads"}
    assert all(one[name].any() for name in new)


def test_batches_in_parts_have_the_same_gradient(first_gradients):
    whole, parts = (first_gradients("sst2", "multi_task:tasks=rte", dropout=0.0, accumulate=n) for n in (1, 4))
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-3, atol=1e-5)


def test_what_the_runs_body_lacks_belongs_to_the_new_head(train):
    """A model for tags has no pooler, and one for texts reads it."""
    run, base = (train("conll2003", stack, **FEW) for stack in ("multi_task:tasks=sst2", "adamw"))
    new = {n for n in run.parameters if n.startswith("joint_heads.")}
    assert any("pooler" in name for name in new)
    assert run.parameters.keys() - new == base.parameters.keys()
    assert not any("pooler" in name for name in base.parameters)
    assert run.record.size.saved_bytes == base.record.size.saved_bytes, "heads of further tasks are dropped"


def test_further_tasks_count_in_passes_and_tokens_and_not_in_steps(train):
    base, run = (train("sst2", stack, **FEW).record for stack in ("adamw", "multi_task:tasks=rte conll2003"))
    assert run.cost.steps == base.cost.steps == len(run.curve.loss)
    assert run.cost.examples == base.cost.examples
    assert run.cost.forward_passes == 3 * base.cost.forward_passes
    assert run.cost.backward_passes == 3 * base.cost.backward_passes
    assert run.cost.tokens > base.cost.tokens
    assert run.curve.loss[0] == base.curve.loss[0], "the curve is of the run's own task"


def test_an_update_that_is_made_of_two_passes_reads_the_same_further_batch(train, monkeypatch):
    seen = []
    asked = JointTask.micro_batches

    def noted(self, parts):
        found = asked(self, parts)
        seen.append((self.run.step, found[0].inputs["input_ids"].tolist()))
        return found

    monkeypatch.setattr(JointTask, "micro_batches", noted)
    train("sst2", "multi_task:tasks=rte+sam", **FEW)
    steps = {step: [ids for at, ids in seen if at == step] for step, _ in seen}
    assert len(steps) == 2
    assert all(len(read) == 3 and read[0] == read[1] == read[2] for read in steps.values())
    assert steps[0][0] != steps[1][0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("stack", ["lora", "linear_probe", "r_drop", "fgm", "lp_ft", "mixout", "bf16", "ema", "deni"])
def test_it_goes_with_what_changes_the_model_and_its_passes(train, stack):
    record = train("sst2", f"multi_task:tasks=rte+{stack}", **FEW).record
    assert record.status in ("converged", "collapsed"), record.reason
    record = train("sst2", f"{stack}+multi_task:tasks=rte", **FEW).record
    assert record.status in ("converged", "collapsed"), record.reason


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ("sst2", "multi_task is to train on sst2, which is the run's own task; choose another"),
        ("rte sst3", "multi_task needs the task sst3 from the run's data source: unknown task 'sst3'"),
    ],
)
def test_tasks_that_cannot_be_joined_are_a_reason(train, tasks, reason):
    record = train("sst2", f"multi_task:tasks={tasks}", **FEW).record
    assert (record.status, record.reason[: len(reason)]) == ("unsupported", reason)


@pytest.mark.parametrize("tasks", ["", "  ", "rte rte"])
def test_names_that_are_none(tasks):
    with pytest.raises(BadValue, match=re.escape(f"multi_task:tasks is {tasks!r}")):
        MultiTask(tasks)


def test_a_technique_that_declines_the_further_format_is_a_reason(train):
    record = train("sst2", "multi_task:tasks=squad+scl", **FEW).record
    assert (record.status, record.reason[:3]) == ("unsupported", "scl")
