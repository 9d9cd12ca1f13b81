"""What holds for every technique that trains a few parameters beside frozen weights."""

from __future__ import annotations

import itertools

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.toolkit.peft_injection import FEW_PARTS, LOW_RANK, claim, new_parts

FEW = {"train_examples": 8, "eval_examples": 4}
HEADS = {"sst2": 32 * 2 + 2, "conll2003": 32 * 9 + 9, "squad": 32 * 2 + 2}
OTHER_START = ("pissa", "lora_ga")
"""They take away from the frozen weights what they begin with."""
# By hand, for two blocks 32 wide with 64 inner units, three layer norms of two vectors in embeddings and block.
BESIDE_THE_HEAD = {
    **dict.fromkeys(LOW_RANK, 2 * 2 * (8 * 32 + 32 * 8)),
    "dora": 2 * 2 * (8 * 32 + 32 * 8 + 32),
    "adalora": 2 * (4 * (2 * 32 + 2 + 32 * 2) + (2 * 32 + 2 + 64 * 2) + (2 * 64 + 2 + 32 * 2)),
    "prefix": 20 * 2 * 2 * 32,
    "ia3": 2 * (32 + 32 + 64),
    "bitfit": 32 + 2 * (3 * 32 + 32 + 32 + 64 + 32 + 32),
    "ln_only": (1 + 2 * 2) * 2 * 32,
    "adapter": 2 * 2 * (32 * 64 + 64 + 64 * 32 + 32) + (1 + 2 * 2) * 2 * 32,
}

# bitfit and ln_only add nothing, and adapters are beside norms that were there.
ADDED = {**BESIDE_THE_HEAD, "bitfit": 0, "ln_only": 0, "adapter": 2 * 2 * (32 * 64 + 64 + 64 * 32 + 32)}


def outputs(model, task_format):
    ids = torch.randint(1000, 2000, (3, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=(ids > 1500).long())
    return torch.stack((out.start_logits, out.end_logits)) if task_format == "span" else out.logits


@pytest.fixture(params=HEADS)
def begin(request, train):
    """The outputs of the base model and of what a technique makes of it, before any update."""

    def outputs_of(name):
        training = train(request.param, learning_rate=0.0, **FEW).training
        training.trained = None  # as before the optimiser is built
        base = outputs(training.model, training.format)
        TECHNIQUES.get(name)().prepare(training)
        return base, outputs(training.model, training.format)

    return outputs_of


@pytest.mark.parametrize("name", ["lora", "rslora", "dora", "lora_plus", "adalora", "ia3", "bitfit", "ln_only"])
def test_it_starts_as_the_base_model_to_the_bit(begin, name):
    base, wrapped = begin(name)
    assert torch.equal(base, wrapped)


def test_an_adapter_starts_near_the_base_model(begin):
    """Its weights are below 2e-3, so that it adds some 1e-3 * 1e-3 * sqrt(32 * 64) / 2, 2e-5, to states of size 1."""
    base, wrapped = begin("adapter")
    assert 0 < (base - wrapped).abs().max() < 1e-3


def test_a_prefix_changes_the_output_from_the_start(begin):
    base, wrapped = begin("prefix")
    assert base.shape == wrapped.shape
    assert (base - wrapped).abs().max() > 1e-3


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("name", FEW_PARTS)
def test_the_record_counts_what_learns(train, name, task):
    record, whole = (train(task, stack, **FEW).record for stack in (name, "adamw"))
    pooler = 32 if name == "bitfit" and task == "sst2" else 0
    assert (
        record.cost.trainable_parameters
        == BESIDE_THE_HEAD[name] + pooler + HEADS[task]
        < whole.cost.trainable_parameters
    )
    # What is added, and no second head that was never trained.
    assert record.cost.parameters == whole.cost.parameters + ADDED[name]


@pytest.mark.parametrize("name", FEW_PARTS)
def test_the_head_moves_and_the_frozen_weights_do_not(train, name):
    training = train("sst2", name, **FEW).training
    now = {}
    for full, parameter in training.model.named_parameters():
        short = full.replace("base_layer.", "").replace(".dropout.dropout.", ".dropout.").split("base_model.")[-1]
        now[short.removeprefix("model.")] = parameter, full
    norms = ("LayerNorm.weight", "LayerNorm.bias")
    learns = {"bitfit": ("bias",), "ln_only": norms, "adapter": norms}.get(name, ())
    assert training.pretrained.keys() <= now.keys()
    for start, value in training.pretrained.items():
        parameter, full = now[start]
        assert (full in training.trainable()) == start.endswith(learns or "nothing"), start
        changes = learns or (("query.weight", "value.weight") if name in OTHER_START else "nothing")
        assert torch.equal(parameter, value) or start.endswith(changes), start
    head = {n: p for n, p in training.trainable().items() if ".classifier." in f".{n}"}
    assert sum(p.numel() for p in head.values()) == HEADS["sst2"]
    assert all(training.optimizer.state[p]["exp_avg"].any() for p in head.values())


@pytest.mark.parametrize(("first", "second"), [*itertools.pairwise((*FEW_PARTS, FEW_PARTS[0]))])
def test_two_of_them_are_refused_by_name(train, first, second):
    record = train("sst2", f"{first}+{second}", **FEW).record
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert f"{second} cannot follow {first}" in record.reason


def test_a_claim_holds_for_one_run(toy):
    claim(toy, "one")
    with pytest.raises(Unsupported, match="two cannot follow one"):
        claim(toy, "two")
    toy.memory.clear()
    claim(toy, "two")


def test_a_pooler_that_was_not_pretrained_is_new(toy):
    assert new_parts(toy) == ["classifier"]
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    assert new_parts(toy) == ["classifier", "body.pooler"]
