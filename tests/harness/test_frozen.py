"""Weights that do not learn, held in bf16: the same record as in fp32, and half the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import BadPlan
from bench_lib.core.record import RunRecord, Status
from bench_lib.harness import precision
from bench_lib.harness.frozen import in_fp32
from bench_lib.instruments.kernels import Products
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack

FEW = {"train_examples": 16, "eval_examples": 8, "max_length": 32, "precision": "bf16"}
POOLS = {"ensemble", "greedy_soup", "model_stock", "start_many", "uniform_soup"}
ALONE = sorted(set(TECHNIQUES.names()) - POOLS - {"back_translation"})
CASES = [*(("", name) for name in ALONE), *(("freeze_bottom+", name) for name in ALONE if name != "freeze_bottom")]
FREEZING = (
    *("lora", "dora", "pissa", "adalora", "ia3", "adapter", "prefix", "bitfit", "ln_only", "lora+neftune"),
    *("freeze_bottom", "linear_probe", "gradual_unfreezing", "noisy_tune+freeze_bottom"),
)
IN_FP32 = ("lora_ga", "child_tuning_d", "repina", "r3f", "r4f:spectral=False", "lnsr", "smart", "hype")


def both(train: Any, task: str, stack: str, **changes: object) -> tuple[Any, Any]:
    plain, held = (train(task, stack, frozen_weights=dtype, **FEW | changes) for dtype in ("fp32", "bf16"))
    assert held.record.run_id != plain.record.run_id
    return plain, held


def outcome(record: RunRecord) -> tuple[object, ...]:
    measured = (record.score, record.curve, record.drift, record.size, record.reported, record.cost)
    return record.status, record.reason, *measured


def held_in(training: Any) -> dict[str, nn.Parameter]:
    return {n: p for n, p in training.model.named_parameters() if p.dtype == torch.bfloat16}


# ---- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", FREEZING)
def test_the_record_is_that_of_weights_in_fp32(train: Any, stack: str) -> None:
    plain, held = both(train, "sst2", stack, dropout=0.1)
    assert held.record.status in ("converged", "collapsed"), held.record.reason
    if stack == "noisy_tune+freeze_bottom":  # what had moved before is known in bf16 alone
        assert held.record.drift == pytest.approx(plain.record.drift, rel=1e-3)
        assert held.record.curve == plain.record.curve
    else:
        assert outcome(held.record) == outcome(plain.record)
    assert held_in(held.training)
    assert held_in(held.training).keys() == held.training.held.keys()
    assert not held_in(held.training).keys() & held.training.trainable().keys()


@pytest.mark.parametrize("products", list(Products))
@pytest.mark.parametrize(("task", "stack"), [("e2e_nlg", "lora"), ("squad", "ia3"), ("conll2003", "bitfit")])
def test_it_holds_for_every_kind_of_products_and_of_task(
    train: Any, monkeypatch: pytest.MonkeyPatch, task: str, stack: str, products: Products
) -> None:
    monkeypatch.setattr(precision, "bf16_products", lambda: products)
    plain, held = both(train, task, stack, max_length=48)
    assert outcome(held.record) == outcome(plain.record)


def test_what_is_measured_beside_the_score_is_the_same(train: Any) -> None:
    changes = {"attack": 0.1, "perturb": 0.3, "gradient_checkpointing": True}
    plain, held = both(train, "sst2", "lora", **changes)
    assert held.record.robustness == plain.record.robustness
    assert held.record.robustness.adversarial is not None


@pytest.mark.parametrize("observer", ["prune_magnitude", "layer_drop", "ema", "wise_ft"])
def test_observers_see_what_they_would_see(train: Any, observer: str) -> None:
    plain, held = both(train, "sst2", f"freeze_bottom+{observer}")
    assert held.record.status in ("converged", "collapsed"), held.record.reason
    assert outcome(held.record) == outcome(plain.record)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("freezing", "technique"), CASES)
def test_every_technique_on_a_decoder_is_the_same_or_says_why_not(freezing: str, technique: str) -> None:
    made = parse_stack(technique, TECHNIQUES).techniques[0]
    profiles = ("smoke:precision=bf16", "smoke:precision=bf16:frozen_weights=bf16")
    if technique == "fp16":
        with pytest.raises(BadPlan, match="frozen_weights is 'bf16'; allowed: fp32 unless precision is bf16"):
            plan(Grid(("sst2",), (technique,), (0,), profiles[1], "tiny-llama", "embedded"))
        return
    grids = [Grid(("sst2",), (freezing + technique,), (0,), profile, "tiny-llama", "embedded") for profile in profiles]
    plain, held = (execute(plan(grid))[0] for grid in grids)
    if made.passes_in_fp32() and plain.status != Status.UNSUPPORTED and held.status == Status.UNSUPPORTED:
        assert held.reason.startswith(f"{technique} passes through the model in fp32")
        return
    assert (held.curve, held.score) == (plain.curve, plain.score)
    if technique in ("noisy_tune", "tapt"):  # what they had changed was frozen after that, and is held rounded
        assert held.drift == pytest.approx(plain.drift, rel=0.01)
        return
    assert outcome(held) == outcome(plain)


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", ["bert", "deberta", "deberta-v2", "albert", "electra", "modernbert", "xlm-r"])
@pytest.mark.parametrize("stack", ["linear_probe", "bitfit", "ln_only"])
def test_every_family_is_the_same(families: Any, family: str, stack: str) -> None:
    profiles = ("smoke:precision=bf16", "smoke:precision=bf16:frozen_weights=bf16")
    folder = str(families.folder(family))
    plain, held = (execute(plan(Grid(("sst2",), (stack,), (0,), p, folder, "embedded")))[0] for p in profiles)
    assert outcome(held) == outcome(plain)
    if (family, stack) == ("modernbert", "bitfit"):
        assert "finds no pre-trained bias" in plain.reason
        return
    assert held.provenance["frozen_weights"][0] != "0"


# ---- what is held ----------------------------------------------------------------------------------------------------


def test_a_held_matrix_takes_half_the_memory(train: Any) -> None:
    plain, held = both(train, "e2e_nlg", "lora", max_length=48)
    sizes = [sum(p.numel() * p.element_size() for p in run.training.model.parameters()) for run in (plain, held)]
    matrices = sum(p.numel() for p in held_in(held.training).values())
    assert sizes[0] - sizes[1] == 2 * matrices
    layers = {n for n, m in held.training.model.named_modules() if isinstance(m, nn.Linear) and ".layers." in n}
    frozen = {n.removesuffix(".weight") for n in held_in(held.training)}
    assert {n for n in layers if "lora_" not in n} == frozen
    counted = sum(p.numel() for p in held.training.model.parameters())
    told = f"{matrices:,} of {counted:,} parameters held in 16 bits"
    assert held.record.provenance["frozen_weights"] == told
    assert "frozen_weights" not in plain.record.provenance


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_embeddings_are_held_where_their_values_are_those_of_bf16(
    families: Any, tmp_path: Path, stored: torch.dtype
) -> None:
    """As of a decoder whose head is its embeddings, by a technique that reads them."""
    model = families.model(
        "qwen2", transformers.AutoModelForCausalLM, tie_word_embeddings=True, max_position_embeddings=256
    )
    model.to(stored).save_pretrained(tmp_path)
    families.tokenizer("qwen2").save_pretrained(tmp_path)
    plain, held = (_writes(tmp_path, dtype) for dtype in ("fp32", "bf16"))
    assert held.status in ("converged", "collapsed"), held.reason
    assert outcome(held) == outcome(plain)
    number, whole = (int(text.replace(",", "")) for text in held.provenance["frozen_weights"].split()[:3:2])
    assert (number > whole / 2) == (stored == torch.bfloat16)


def _writes(folder: Path, dtype: str) -> RunRecord:
    profile = f"smoke:precision=bf16:max_length=192:frozen_weights={dtype}"
    return execute(plan(Grid(("e2e_nlg",), ("lora+neftune",), (0,), profile, str(folder), "embedded")))[0]


@pytest.mark.parametrize("stack", ["adamw", "lp_ft"])
def test_without_a_weight_that_never_learns_it_has_no_effect(train: Any, stack: str) -> None:
    plain, held = both(train, "sst2", stack)
    assert outcome(held.record) == outcome(plain.record)
    assert held.training.held == {}
    assert held.record.provenance["frozen_weights"].startswith("0 of ")


def test_layers_that_join_later_are_not_held(train: Any) -> None:
    _, held = both(train, "sst2", "gradual_unfreezing", epochs=2)
    assert held.training.held
    assert not [name for name in held.training.held if ".layer.1." in name]


def test_what_other_code_reads_is_not_held(train: Any) -> None:
    dora, lora = (both(train, "sst2", stack)[1].training.held for stack in ("dora", "lora"))
    assert {name for name in lora if name not in dora} == {n for n in lora if ".query." in n or ".value." in n}


# ---- what leaves the training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", ["lora", "bitfit"])
def test_the_model_comes_out_in_fp32_as_it_would_be(train: Any, stack: str) -> None:
    plain, held = both(train, "sst2", stack)
    whole = in_fp32(held.training)
    for name, parameter in plain.training.model.named_parameters():
        assert torch.equal(whole.get_parameter(name), parameter)
    assert held_in(held.training)
    assert in_fp32(plain.training) is plain.training.model


def test_kept_weights_are_in_fp32_and_exact(make_spec: Any) -> None:
    specs = [make_spec("sst2", "bitfit", frozen_weights=d, **FEW).keeping_weights(True) for d in ("fp32", "bf16")]
    plain, held = (execute([spec])[0].weights for spec in specs)
    assert plain.keys() == held.keys()
    for name, value in plain.items():
        assert value.dtype == held[name].dtype
        assert (value == held[name]).all()


def test_what_had_changed_before_comes_out_rounded(train: Any) -> None:
    plain, held = both(train, "sst2", "pissa")
    assert set(held.training.held.values()) >= {""}
    whole = in_fp32(held.training)
    for name, own in held.training.held.items():
        exact = plain.training.model.get_parameter(name)
        expected = exact if own else exact.bfloat16().float()
        assert torch.equal(whole.get_parameter(name), expected)


# ---- what is declined ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("technique", IN_FP32)
def test_a_pass_in_fp32_is_declined_by_name_where_weights_are_held(train: Any, technique: str) -> None:
    name = technique.partition(":")[0]
    stack = technique if name == "lora_ga" else f"{technique}+freeze_bottom"
    record = train("sst2", stack, frozen_weights="bf16", **FEW).record
    assert record.status == Status.UNSUPPORTED
    assert record.reason.startswith(f"{name} passes through the model in fp32, and the weights that do not learn are")
    assert record.cost.steps == 0


@pytest.mark.parametrize("technique", [t for t in IN_FP32 if t != "lora_ga"])
def test_it_is_not_where_all_learn_or_it_is_at_its_identity(train: Any, technique: str) -> None:
    _, held = both(train, "sst2", technique)
    assert held.record.status in ("converged", "collapsed"), held.record.reason
    made = TECHNIQUES.get(technique.partition(":")[0])
    assert not made(**made.identity).passes_in_fp32()


def test_a_pass_in_fp32_that_was_not_declared_is_refused(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TECHNIQUES.get("repina"), "passes_in_fp32", lambda self: False)
    record = train("sst2", "repina+freeze_bottom", frozen_weights="bf16", **FEW).record
    assert (record.status, record.cost.steps) == (Status.UNSUPPORTED, 0)
    assert "no pass in fp32 through weights that are held in 16 bits" in record.reason


def test_another_precision_by_a_technique_is_refused_before_anything_is_trained() -> None:
    grid = Grid(("sst2",), ("fp16+lora",), (0,), "smoke:precision=bf16:frozen_weights=bf16", "tiny", "embedded")
    with pytest.raises(BadPlan, match="frozen_weights is 'bf16'; allowed: fp32 unless precision is bf16"):
        plan(grid)
