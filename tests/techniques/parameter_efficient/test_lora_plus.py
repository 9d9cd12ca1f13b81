from __future__ import annotations

import pytest
import torch
from peft.optimizers import create_loraplus_optimizer

from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.lora_plus import LoRAPlus

FEW = {"train_examples": 8, "eval_examples": 4}


def test_rates_are_those_of_pefts_optimiser(train):
    training = train("sst2", "lora_plus:ratio=8:learning_rate=0.01", weight_decay=0.0, warmup=0.0, **FEW).training
    theirs = create_loraplus_optimizer(training.model, torch.optim.AdamW, lr=0.01, loraplus_lr_ratio=8.0)
    expected = {id(p): group["lr"] for group in theirs.param_groups for p in group["params"]}
    found = {id(p): group["initial_lr"] for group in training.optimizer.param_groups for p in group["params"]}
    assert found == pytest.approx(expected)
    assert {*found.values()} == {0.01, 0.08}


def test_the_rate_of_the_run_is_that_of_a(train):
    record = train("sst2", "lora_plus:learning_rate=0.01", warmup=0.0, **FEW).record
    assert record.curve.learning_rate[0] == pytest.approx(0.01)


def test_at_ratio_1_it_is_lora_to_the_bit(train):
    stacks = ("lora_plus:ratio=1:learning_rate=0.001", "lora:alpha=8:learning_rate=0.001")
    one, other = (train("sst2", stack, **FEW).record for stack in stacks)
    assert one.curve.loss == other.curve.loss
    assert one.score == other.score


def test_it_has_a_rate_of_its_own():
    assert LoRAPlus(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)
