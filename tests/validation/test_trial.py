"""A trial makes each run once, compares records to the bit, and names what was changed around it."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
import torch

from bench_lib.core.record import RunRecord
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.trial import Trial, baseline, differences, evaluated_last, surrounded, tiny_spec


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return Trial(baseline(), "sst2").base


def test_runs_that_are_given_are_not_made(record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_lib.validation.trial.execute", None)
    assert Trial(baseline(), "sst2", runs={baseline().spec(): record}).usual is record


def test_a_run_is_made_once_by_the_spec_that_is_asked_for() -> None:
    asked = []

    def spec_of(task: str, stack: Any) -> Any:
        asked.append((task, stack))
        return tiny_spec(task, stack)

    trial = Trial(baseline(), "sst2", spec_of)
    assert trial.usual is trial.base
    assert asked == [("sst2", baseline())]
    assert trial.traces == []


def test_what_only_names_the_technique_is_no_difference(record: RunRecord) -> None:
    assert differences(record, dataclasses.replace(record, run_id="other", technique="other")) == []


def test_each_field_and_the_predictions_are_compared_to_the_bit(record: RunRecord) -> None:
    assert record.predictions is not None
    values = record.predictions.values.copy()
    values.flat[0] = np.nextafter(values.flat[0], np.inf)
    moved = dataclasses.replace(record.predictions, values=values)
    assert differences(record, record.changed({"steps": 7, "predictions": moved})) == ["steps", "predictions"]
    assert differences(record, dataclasses.replace(record, predictions=None)) == ["predictions"]


def test_of_an_observer_that_is_evaluated_last_the_last_evaluation_is_compared(record: RunRecord) -> None:
    last = record.changed({"eval_step": record.evaluations.steps[-1:], "eval_score": record.evaluations.scores[-1:]})
    assert differences(record, last) == ["eval_step", "eval_score"]
    assert differences(record, last, parse_stack("ema", TECHNIQUES)) == []
    assert differences(record, last, parse_stack("mixout", TECHNIQUES)) == ["eval_step", "eval_score"]


@pytest.mark.parametrize(
    ("stack", "last"),
    [("ema", True), ("llrd+ema", True), ("prune_magnitude", True), ("ema+best_checkpoint", False), ("deni", False)],
)
def test_who_is_evaluated_last(stack: str, last: bool) -> None:
    assert evaluated_last(parse_stack(stack, TECHNIQUES)) == last


def test_what_is_changed_is_named_and_put_right() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with surrounded(3, foreign=False) as changed:
        torch.rand(1)
        random.random()
        torch.set_default_dtype(torch.float64)
    assert changed == ["torch's default type", "torch's generator", "random's generator"]
    assert torch.get_default_dtype() == torch.float32
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_what_is_left_as_it_was_is_not_named() -> None:
    with surrounded(3, foreign=False) as changed:
        assert torch.initial_seed() == 3
    assert changed == []
