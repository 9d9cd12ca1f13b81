"""Attention by torch's fused kernels: the same function as step by step, up to rounding, and refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from bench_lib.core.errors import BadPlan, Unsupported
from bench_lib.core.spec import Ref
from bench_lib.harness import precision
from bench_lib.harness.writing import greedy, left_padded
from bench_lib.instruments.kernels import Products
from bench_lib.models import MODELS
from bench_lib.models.attention import check_attention, fuses_attention
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TEXT_GENERATION

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
CPU = torch.device("cpu")
FEW = {"train_examples": 16, "eval_examples": 8, "max_length": 32}
TEXTS = [np.arange(5, 5 + n) for n in (3, 11, 7)]


def pair(ref: Ref, task_format: Any, labels: int) -> list[Any]:
    """A model both ways, without dropout, with weights large enough that attention is not even."""
    models = [load_template(ref, task_format, labels, way).model.eval() for way in ("eager", "sdpa")]
    assert [model.config._attn_implementation for model in models] == ["eager", "sdpa"]
    return models


def padded(side: str) -> dict[str, Tensor]:
    ids, mask = left_padded(TEXTS, 0, CPU)
    if side == "right":
        rows = [torch.cat((row[seen == 1], row[seen == 0])) for row, seen in zip(ids, mask, strict=True)]
        return {"input_ids": torch.stack(rows), "attention_mask": mask.flip(1)}
    places = (mask.cumsum(1) - 1).clamp_min(0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": places}


def check_same(models: list[Any], side: str) -> None:
    """Equal logits both ways, of texts in a batch and of each alone."""
    batch = padded(side)
    with torch.inference_mode():
        eager, fused = (model(**batch).logits for model in models)
        for row, text in enumerate(TEXTS):
            ids = torch.tensor(text)[None]
            alone = models[1](input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
            if alone.dim() == 1:
                assert torch.allclose(fused[row], alone, **CLOSE)
                assert torch.allclose(fused[row], eager[row], **CLOSE)
                continue
            seen = batch["attention_mask"][row] == 1
            assert torch.allclose(fused[row][seen], alone, **CLOSE)
            assert torch.allclose(fused[row][seen], eager[row][seen], **CLOSE)


@pytest.mark.parametrize("model", ["tiny", "tiny-llama"])
def test_the_logits_of_a_classifier_are_those_of_eager_attention(model: str) -> None:
    check_same(pair(resolve(model, MODELS), TEXT_CLASSIFICATION, 3), "right")


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_logits_of_a_decoder_are_those_of_eager_attention(side: str) -> None:
    check_same(pair(resolve("tiny-llama", MODELS), TEXT_GENERATION, 0), side)


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_the_logits_of_two_stacks_are_those_of_eager_attention(families: Any, name: str) -> None:
    folder = families.folder(name, transformers.AutoModelForSeq2SeqLM, f"{name}-writes")
    eager, fused = pair(resolve(str(folder), MODELS), TEXT_GENERATION, 0)
    batch, written = padded("right"), torch.arange(4, 10).repeat(len(TEXTS), 1)
    with torch.inference_mode():
        one, other = (model(**batch, decoder_input_ids=written).logits for model in (eager, fused))
        for row, text in enumerate(TEXTS):
            alone = fused(input_ids=torch.tensor(text)[None], decoder_input_ids=written[:1]).logits[0]
            assert torch.allclose(other[row], alone, **CLOSE)
    assert torch.allclose(one, other, **CLOSE)


@pytest.mark.parametrize("name", ["llama", "gpt2", "opt", "gemma3", "qwen3"])
def test_a_decoder_writes_the_same_in_a_batch_and_alone(families: Any, name: str) -> None:
    folder = families.folder(name, transformers.AutoModelForCausalLM, f"{name}-writes")
    eager, fused = pair(resolve(str(folder), MODELS), TEXT_GENERATION, 0)
    with torch.inference_mode():
        expected = greedy(eager, *left_padded(TEXTS, 0, CPU), 10, -1)
        assert greedy(fused, *left_padded(TEXTS, 0, CPU), 10, -1) == expected
        assert [greedy(fused, *left_padded([text], 0, CPU), 10, -1)[0] for text in TEXTS] == expected
    assert len({tuple(row) for row in expected}) > 1


def test_each_way_is_loaded_once_and_eager_is_the_default() -> None:
    ref = resolve("tiny", MODELS)
    eager, fused = (load_template(ref, TEXT_CLASSIFICATION, 2, way) for way in ("eager", "sdpa"))
    assert load_template(ref, TEXT_CLASSIFICATION, 2) is eager is not fused
    assert load_template(ref, TEXT_CLASSIFICATION, 2, "sdpa") is fused
    for one, other in zip(eager.model.parameters(), fused.model.parameters(), strict=True):
        assert torch.equal(one, other)


# ---- in runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "stack"), [("sst2", "adamw"), ("e2e_nlg", "lora"), ("sst2", "multi_task:tasks=rte")])
def test_the_same_spec_gives_the_same_bits_and_nearly_those_of_eager(train: Any, task: str, stack: str) -> None:
    few = {**FEW, "max_length": 64 if task == "e2e_nlg" else 32}
    eager, *fused = (train(task, stack, attention=way, **few).record for way in ("eager", "sdpa", "sdpa"))
    assert fused[0].status in ("converged", "collapsed"), fused[0].reason
    assert fused[0].run_id != eager.run_id
    one, other = ((record.score, record.curve, record.drift, record.metrics) for record in fused)
    assert one == other
    assert fused[0].curve.loss == pytest.approx(eager.curve.loss, rel=1e-3)


@pytest.mark.parametrize("products", list(Products))
def test_bf16_is_nearly_eager_in_bf16(train: Any, monkeypatch: pytest.MonkeyPatch, products: Products) -> None:
    monkeypatch.setattr(precision, "bf16_products", lambda: products)
    few = {**FEW, "precision": "bf16", "dropout": 0.0}
    eager, fused = (train("sst2", "adamw", attention=way, **few).record for way in ("eager", "sdpa"))
    assert fused.curve.loss == pytest.approx(eager.curve.loss, rel=0.02)


@pytest.mark.parametrize("stack", ["prefix", "prune_structured_heads", "freelb", "smart", "lr_drop"])
def test_techniques_that_act_on_attention_or_differentiate_twice_do_as_with_eager(train: Any, stack: str) -> None:
    """None reads the probabilities of attention, and none takes a gradient of a gradient."""
    few = {**FEW, "dropout": 0.0 if stack != "lr_drop" else None, "attack": 0.1}
    eager, fused = (train("sst2", stack, attention=way, **few).record for way in ("eager", "sdpa"))
    assert fused.status == eager.status
    assert fused.status in ("converged", "collapsed"), fused.reason
    assert fused.curve.loss == pytest.approx(eager.curve.loss, rel=1e-2)
    assert fused.size == eager.size


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_a_family_without_it_is_refused_by_name_before_anything_is_trained(families: Any) -> None:
    folder = str(families.folder("deberta-v2"))
    with pytest.raises(BadPlan, match="deberta-v2' has no attention by torch's fused kernels; set attention to eager"):
        plan(Grid(("sst2",), ("adamw",), (0,), "smoke:attention=sdpa", folder, "embedded"))
    with pytest.raises(Unsupported, match="deberta-v2' has no attention by torch's fused kernels"):
        load_template(resolve(folder, MODELS), TEXT_CLASSIFICATION, 2, "sdpa")


def test_a_run_that_was_planned_elsewhere_says_so_in_its_record(make_spec: Any, families: Any) -> None:
    spec = make_spec("sst2", attention="sdpa", **FEW)
    spec = dataclasses.replace(spec, model=resolve(str(families.folder("deberta-v2")), MODELS))
    (record,) = execute([spec])
    assert record.status == "unsupported"
    assert "set attention to eager" in record.reason


def test_eager_attention_is_every_models() -> None:
    assert fuses_attention(transformers.BertModel)
    assert not fuses_attention(transformers.DebertaV2Model)
    check_attention(Ref("any", ""), transformers.DebertaV2Model, "eager")
    check_attention(Ref("any", ""), transformers.BertModel, "sdpa")
    with pytest.raises(Unsupported, match="'any' has no attention"):
        check_attention(Ref("any", ""), transformers.DebertaV2Model, "sdpa")
