from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.techniques.toolkit.model_copies import linear_layers, part, plain_copy, portion

FEW = {"train_examples": 8, "eval_examples": 4}
FIRST = "bert.encoder.layer.0"
LAYERS = {
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
}


@pytest.mark.parametrize("stack", ["adamw", "mixout", "lora", "adalora", "ia3"])
def test_the_linear_layers_of_a_copy_are_those_of_the_blocks_whatever_the_stack_did(train, stack):
    training = train("sst2", stack, **FEW).training
    found = linear_layers(plain_copy(training.model), training.architecture)
    assert found.keys() == {f"bert.encoder.layer.{block}.{name}" for block in (0, 1) for name in LAYERS}


@pytest.mark.parametrize("stack", ["adamw", "lora", "prefix", "adapter"])
def test_a_copy_computes_what_the_model_does_and_shares_nothing_with_it(train, stack):
    model = train("sst2", f"{stack}:learning_rate=0.01" if stack != "adamw" else stack, **FEW).training.model.eval()
    before = copy.deepcopy(model.state_dict())
    copied, ids = plain_copy(model), torch.arange(1000, 1014).view(2, 7)
    with torch.no_grad():
        ours, theirs = (m(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for m in (copied, model))
        torch.testing.assert_close(ours, theirs)
        for parameter in copied.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert hasattr(copied, "peft_config") == (stack == "prefix"), "what can be merged is"


def test_a_part_is_found_behind_a_wrappers_prefix(train):
    plain, wrapped = (train("sst2", stack, **FEW).training.model for stack in ("adamw", "lora"))
    assert part(plain, "bert.encoder.layer") == "bert.encoder.layer"
    assert part(wrapped, "bert.encoder.layer") == "base_model.model.bert.encoder.layer"


def test_a_portion_is_in_whole_ones():
    assert [portion(share, 6) for share in (0.0, 0.1, 0.3, 0.5, 0.99)] == [0, 0, 1, 3, 5]
    assert portion(0.29, 100) == 29  # 0.29 * 100 is 28.999999999999996


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_portion_of_a_fraction_is_its_numerator(part_of, whole):
    part_of %= whole + 1
    assert portion(part_of / whole, whole) == part_of
