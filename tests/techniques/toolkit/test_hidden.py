from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.toolkit.hidden import block_inputs_changed, last_hidden_changed, tokens_hidden


def hooks(training):
    names = ("_forward_hooks", "_forward_pre_hooks")
    return sum(len(getattr(module, name)) for module in training.model.modules() for name in names)


@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_the_last_block_is_changed_and_what_comes_before_is_not(micro_step, stack):
    step = micro_step("sst2", stack)
    step.training.model.eval()
    plain, before = step.forward(hidden=True), hooks(step.training)
    with last_hidden_changed(step.training, lambda h: h * 0):
        changed = step.forward(hidden=True)
    assert hooks(step.training) == before
    for one, other in zip(plain.hidden[:-1], changed.hidden[:-1], strict=True):
        assert torch.equal(one, other)
    assert torch.equal(changed.logits[0], changed.logits[0][:1].expand_as(changed.logits[0]))
    assert not torch.equal(changed.logits[0], plain.logits[0])


@pytest.mark.parametrize("stack", ["adamw", "lora"])
@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_what_is_hidden_tells_nothing(micro_step, task, stack):
    """Other tokens in the hidden places give the same logits everywhere, to the bit."""
    step = micro_step(task, stack)
    step.training.model.eval()
    hidden = torch.zeros_like(step.real_tokens)
    hidden[:, 2:4] = step.real_tokens[:, 2:4]
    plain = step.forward()
    with tokens_hidden(step.training, hidden):
        first = step.forward()
        step.batch.inputs["input_ids"] = step.batch.inputs["input_ids"].masked_fill(hidden, 999)
        second = step.forward()
    assert all(torch.equal(a, b) for a, b in zip(first.logits, second.logits, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.logits, plain.logits, strict=True))


def test_hidden_tokens_are_as_if_they_were_not_there(micro_step):
    """But for their places: hiding the last tokens equals padding over them."""
    step = micro_step("sst2")
    step.training.model.eval()
    tail = torch.zeros_like(step.real_tokens)
    tail[:, 6:] = True
    with tokens_hidden(step.training, tail):
        erased = step.forward().logits[0]
    step.batch.inputs["attention_mask"] = step.batch.inputs["attention_mask"].masked_fill(tail, 0)
    torch.testing.assert_close(erased, step.forward().logits[0])


IDS = torch.randint(1, 50, (2, 5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", ["Bert", "Albert", "Electra", "Roberta", "DistilBert"])
def test_every_layer_is_given_something_else(encoders, family):
    """Also where embeddings are widened before the first, and where the layers are one block that is passed again."""
    training, seen = encoders(family), []
    plain = training.model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    with block_inputs_changed(training, lambda h, text: seen.append((h.shape, text.shape)) or h + 1):
        changed = training.model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    assert seen == [((2, 5, 8), (2, 5))] * 3
    assert not torch.equal(plain, changed)


def test_a_shared_block_is_no_last_one(encoders):
    shared = last_hidden_changed(encoders("Albert"), lambda h: h)
    with pytest.raises(Unsupported, match="3 layers share 1 blocks"), shared:
        pass


@pytest.mark.parametrize("change", ["tokens", "last"])
def test_nothing_is_left_also_when_the_pass_raises(micro_step, change):
    step = micro_step("sst2")
    before = hooks(step.training)

    def fail(_h):
        raise RuntimeError("out of luck")

    made = last_hidden_changed(step.training, fail if change == "last" else lambda h: h)
    if change == "tokens":
        made = tokens_hidden(step.training, step.real_tokens[:, :1].bool()[:2])  # of a wrong shape
    with pytest.raises(RuntimeError), made:
        step.forward()
    assert hooks(step.training) == before
