"""Gradient checkpointing: the same training to the bit, whatever the precision and the technique."""

from __future__ import annotations

from typing import Any

import pytest
from transformers.models.bert.modeling_bert import BertAttention, BertPreTrainedModel

from bench_lib.core.errors import BadPlan
from bench_lib.core.record import RunRecord, Status
from bench_lib.harness import fitness, precision
from bench_lib.instruments.kernels import Products
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.techniques import TECHNIQUES

FEW = {"train_examples": 16, "eval_examples": 4, "max_length": 32}
POOLS = {"ensemble", "greedy_soup", "model_stock", "start_many", "uniform_soup"}
HERE = ["mixout", "r_drop", "freelb", "hype", "lr_drop", "lora", "adapter", "sam"]
"""One technique for each way to act on blocks or to pass through them more than once."""


def same(train: Any, task: str, stack: str, **changes: object) -> None:
    plain, again = (train(task, stack, gradient_checkpointing=on, **FEW, **changes).record for on in (False, True))
    assert again.run_id != plain.run_id
    assert outcome(again) == outcome(plain)


def outcome(record: RunRecord) -> tuple[object, ...]:
    return record.status, record.reason, record.score, record.curve.loss, record.drift


@pytest.mark.parametrize("products", list(Products))
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_every_precision(train: Any, monkeypatch: pytest.MonkeyPatch, name: str, products: Products) -> None:
    monkeypatch.setattr(precision, "bf16_products", lambda: products)
    same(train, "sst2", "adamw", precision=name, dropout=0.1)


@pytest.mark.parametrize("technique", HERE)
def test_techniques_that_act_on_blocks(train: Any, technique: str) -> None:
    same(train, "sst2", technique, dropout=0.1)


def test_what_would_be_dropped_is_declined(train: Any) -> None:
    record = train("sst2", "prefix", gradient_checkpointing=True, **FEW).record
    assert record.status == Status.UNSUPPORTED
    assert "prefix: under gradient_checkpointing" in record.reason


@pytest.mark.exhaustive
@pytest.mark.parametrize("technique", sorted(set(TECHNIQUES.names()) - POOLS - {"back_translation", "prefix"}))
def test_every_technique_on_a_decoder(technique: str) -> None:
    profiles = ("smoke", "smoke:gradient_checkpointing=True")
    grids = [Grid(("sst2",), (technique,), (0,), profile, "tiny-llama", "embedded") for profile in profiles]
    plain, again = (execute(plan(grid))[0] for grid in grids)
    assert outcome(again) == outcome(plain)


def test_blocks_are_computed_twice_in_training_and_once_in_evaluation(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    forward = BertAttention.forward

    def counted(self: BertAttention, *args: Any, **kwargs: Any) -> Any:
        calls.append(self.training)
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(BertAttention, "forward", counted)
    train("sst2", **FEW)
    once = calls.copy()
    calls.clear()
    train("sst2", gradient_checkpointing=True, **FEW)
    assert calls.count(True) == 2 * once.count(True) > 0
    assert calls.count(False) == once.count(False) > 0


def test_a_model_that_cannot_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    fitness.model_facts.cache_clear()
    monkeypatch.setattr(BertPreTrainedModel, "supports_gradient_checkpointing", False)
    grid = Grid(("sst2",), ("adamw",), (0,), "smoke:gradient_checkpointing=True", "tiny", "embedded")
    with pytest.raises(BadPlan, match="cannot compute its blocks again; set gradient_checkpointing to False"):
        plan(grid)
    fitness.model_facts.cache_clear()
