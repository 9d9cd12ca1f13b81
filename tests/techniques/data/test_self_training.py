from __future__ import annotations

import numpy as np
import pytest
import torch

from bench_lib.core.record import Predictions
from bench_lib.harness.datasets import unread_examples
from bench_lib.harness.pretraining import RunPretraining
from bench_lib.runner.members import members
from bench_lib.runner.resolved import resolve_run, spec_data
from bench_lib.tasks.formats import QUESTION_ANSWERING, TOKEN_CLASSIFICATION, TagExample, TextExample
from bench_lib.techniques.data.self_training import SelfTraining, answered
from bench_lib.techniques.interface.pretraining import PretrainingStage

FEW = {"train_examples": 16, "eval_examples": 8, "dev_examples": 2}


def logits(*rows):
    return np.log(np.array(rows, dtype=np.float32))


def test_the_likeliest_class_takes_the_place_of_the_label():
    examples = [TextExample("a", 0), TextExample("b", 0, "c"), TextExample("d", 0)]
    found = list(answered(examples, Predictions(logits([1, 9], [3, 1], [1, 1]) + 100)))
    assert [e for e, _ in found] == [TextExample("a", 1), TextExample("b", 0, "c"), TextExample("d", 0)]
    assert [p for _, p in found] == pytest.approx([0.9, 0.75, 0.5])


def test_a_sentence_is_as_sure_as_its_least_sure_word():
    examples = [TagExample(("New", "York"), (0, 0)), TagExample(("Oslo",), (2,))]
    rows = logits([1, 18, 1], [1, 1, 2], [8, 1, 1])
    found = list(answered(examples, Predictions(rows, np.array([2, 1]))))
    assert [e.tags for e, _ in found] == [(1, 2), (0,)]
    assert [p for _, p in found] == pytest.approx([0.5, 0.8])


class Asked(PretrainingStage):
    """Four texts and a teacher whose probabilities are given."""

    def __init__(self, training, *sure):
        self.training, self.sure, self.added, self.size = training, sure, None, None

    sequences = 3

    def unlabelled(self, size):
        self.size = size
        return [TextExample(f"text {i}", i % 2) for i in range(len(self.sure))]

    def pseudo_labels(self, examples):
        return Predictions(logits(*([1 - p, p] for p in self.sure)))

    def add(self, examples):
        self.added = examples


def test_what_the_teacher_is_sure_of_joins_and_is_reported(toy):
    stage = Asked(toy, 0.05, 0.95, 0.89, 0.08)
    SelfTraining(ratio=1.5).pretrain(stage)
    assert stage.size == 5  # 4.5 of 3 sequences, rounded up
    # Sure at 0.9: the first is 0, the second 1, the fourth 0, where the data set has 0, 1 and 1.
    assert stage.added == [TextExample("text 0", 0), TextExample("text 1", 1), TextExample("text 3", 0)]
    reported = {"self_training.asked": 4, "self_training.added": 3, "self_training.confirmed": pytest.approx(2 / 3)}
    assert toy.reported == reported


def test_nothing_sure_adds_nothing(toy):
    stage = Asked(toy, 0.5, 0.4)
    SelfTraining().pretrain(stage)
    assert stage.added == []
    assert toy.reported == {"self_training.asked": 2, "self_training.added": 0}


@pytest.mark.parametrize("task", ["sst2", "rte", "conll2003"])
def test_the_student_starts_anew_and_trains_on_more(train, task):
    still = {**FEW, "learning_rate": 0.0}
    base, run = train(task, **still), train(task, "self_training:threshold=0.0:ratio=0.5", **still)
    assert all(torch.equal(p, base.parameters[n]) for n, p in run.parameters.items())
    reported = run.record.reported
    assert reported["self_training.asked"] == reported["self_training.added"] == 8
    assert (base.record.cost.examples, run.record.cost.examples) == (16, 24)
    assert reported["self_training.steps"] == base.record.cost.steps == 2
    assert run.record.cost.forward_passes == 2 + 3


def test_the_teacher_is_trained_as_the_run_would_be(train, monkeypatch):
    """Under the streams of the run, it is the run without its pupil: its answers are that run's answers."""
    seen, pseudo_labels = [], RunPretraining.pseudo_labels

    def listening(self, examples):
        monkeypatch.setattr(RunPretraining, "_seed", lambda own, stream, *names: own.training.seed(stream, *names))
        seen.append((list(examples), pseudo_labels(self, examples)))
        return seen[-1][1]

    monkeypatch.setattr(RunPretraining, "pseudo_labels", listening)
    for stack in ("", "+r_drop", "+lora", "+longer:epochs=2"):
        run, alone = train("sst2", f"self_training{stack}", **FEW), train("sst2", f"adamw{stack}", **FEW)
        reported, own = run.record.reported, alone.record
        assert reported["self_training.loss"] == pytest.approx(np.mean(own.curve.loss[-2:]), rel=1e-6)
        assert reported["self_training.forward_passes"] == own.cost.forward_passes
    assert [len(answers.values) for _, answers in seen] == [len(examples) for examples, _ in seen] == [16] * 4


def test_all_texts_in_use_leave_none_to_answer(train):
    record = train("sst2", "self_training", train_examples=None, eval_examples=4).record
    assert record.status == "unsupported"
    assert "self_training finds no training example of sst2 that the run does not use" in record.reason


def test_spans_are_declined():
    assert "no probability" in SelfTraining().declines(QUESTION_ANSWERING)
    assert SelfTraining().declines(TOKEN_CLASSIFICATION) is None


def test_the_pool_leaves_out_the_dev_set_so_that_a_soup_can_select_on_it(make_spec, train):
    spec = make_spec("sst2", "self_training+greedy_soup", **FEW)
    assert {member.technique() for member in members(spec)} == {"self_training"}
    record = train("sst2", "self_training:ratio=1000", **FEW).record
    left = len(unread_examples(spec_data(spec), resolve_run(spec).subset))
    assert record.reported["self_training.asked"] == left - 2
