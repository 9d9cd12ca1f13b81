from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.lora import LoRA

FEW = {"train_examples": 8, "eval_examples": 4}
HEADS = [("sst2", "classifier"), ("conll2003", "classifier"), ("squad", "qa_outputs")]


def outputs(model, task_format):
    draws = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 2000, (3, 7), generator=draws)
    with torch.no_grad():
        out = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=(ids > 1500).long())
    return (out.start_logits, out.end_logits) if task_format == "span" else (out.logits,)


@pytest.mark.parametrize(("task", "head"), HEADS)
def test_at_the_start_it_is_the_base_model_to_the_bit(train, task, head):
    training = train(task, learning_rate=0.0, **FEW).training
    base = outputs(training.model, training.format)
    training.trained = None  # as before the optimiser is built
    LoRA().prepare(training)
    wrapped = outputs(training.model, training.format)
    assert all(torch.equal(a, b) for a, b in zip(base, wrapped, strict=True))
    assert f"base_model.model.{head}.modules_to_save.default.weight" in training.trainable()


@pytest.mark.parametrize("task", [task for task, _ in HEADS])
def test_its_first_loss_is_the_baselines(train, task):
    base, lora = (train(task, stack, **FEW).record for stack in ("adamw", "lora"))
    assert lora.curve.loss[0] == base.curve.loss[0]


@pytest.mark.parametrize(("task", "head"), HEADS)
def test_queries_and_values_and_the_head_learn_and_nothing_else(train, task, head):
    training = train(task, "lora:rank=2", **FEW).training
    parts = {n.removeprefix("base_model.model.") for n in training.trainable()}
    lora = {
        f"bert.encoder.layer.{i}.attention.self.{part}.lora_{letter}.default.weight"
        for i in (0, 1)
        for part in ("query", "value")
        for letter in "AB"
    }
    assert parts == lora | {f"{head}.modules_to_save.default.{part}" for part in ("weight", "bias")}
    frozen = {n: p for n, p in training.model.named_parameters() if not p.requires_grad}
    for name, parameter in frozen.items():
        start = training.pretrained.get(name.removeprefix("base_model.model.").replace("base_layer.", ""))
        assert start is None or torch.equal(parameter, start), name


def test_the_update_by_hand(train):
    training = train("sst2", "lora:rank=4:alpha=8", **FEW).training
    layer = training.model.get_submodule("base_model.model.bert.encoder.layer.0.attention.self.query").eval()
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert (tuple(a.shape), tuple(b.shape)) == ((4, 32), (32, 4))
    assert b.abs().max() > 0, "B must have learned, or the product says nothing"
    inputs = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    expected = inputs @ (layer.base_layer.weight + 8 / 4 * b @ a).T + layer.base_layer.bias
    torch.testing.assert_close(layer(inputs), expected, rtol=1e-5, atol=1e-6)


def test_a_starts_from_the_seed_and_b_from_zero(train):
    def drawn(seed):
        training = train("sst2", learning_rate=0.0, seed=seed, **FEW).training
        LoRA().prepare(training)
        return {n: p.detach() for n, p in training.model.named_parameters() if "lora_" in n}

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert all(not p.any() for n, p in first.items() if "lora_B" in n)
    of_a = [n for n in first if "lora_A" in n]
    assert of_a
    assert all(torch.equal(first[n], again[n]) and not torch.equal(first[n], other[n]) for n in of_a)


def test_it_has_a_rate_of_its_own():
    assert LoRA(learning_rate=3e-4).configure(Profile()) == Profile(learning_rate=3e-4)


def test_the_record_counts_what_learns(train):
    record, whole = (train("sst2", stack, **FEW).record for stack in ("lora:rank=2", "adamw"))
    matrices = 2 * 2 * (2 * 32 + 32 * 2)
    assert record.cost.trainable_parameters == matrices + 32 * 2 + 2 < whole.cost.trainable_parameters


@pytest.mark.parametrize(
    ("family", "places"),
    [
        *((family, "attention.self.query attention.self.value") for family in ("Bert", "Camembert", "XLMRoberta")),
        ("DistilBert", "attention.q_lin attention.v_lin"),
        ("MPNet", "attention.attn.q attention.attn.v"),
        ("DebertaV2", "attention.self.query_proj attention.self.value_proj"),
    ],
)
def test_queries_and_values_of_other_encoders(encoders, family, places):
    training = encoders(family)
    LoRA(rank=2).prepare(training)
    found = {n.split(".lora_A")[0] for n in training.trainable() if ".lora_A." in n}
    blocks = f"base_model.model.{training.architecture.block_list}"
    assert found == {f"{blocks}.{i}.{place}" for i in range(3) for place in places.split()}


def test_an_encoder_whose_queries_it_cannot_find_is_refused(encoders):
    training = encoders("Bert")
    attention = training.model.get_submodule("bert.encoder.layer.1.attention.self")
    attention.ask = attention.query
    del attention.query
    with pytest.raises(Unsupported, match="lora finds 5 of its places in 3 blocks and needs 6"):
        LoRA(rank=2).prepare(training)
