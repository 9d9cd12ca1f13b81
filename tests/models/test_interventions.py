from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.interventions import (
    block_inputs_changed,
    last_hidden_changed,
    tokens_hidden,
    weights_replaced,
)


def hooks(training):
    names = ("_forward_hooks", "_forward_pre_hooks")
    return sum(len(getattr(module, name)) for module in training.model.modules() for name in names)


@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_the_last_block_is_changed_and_what_comes_before_is_not(micro_step, stack):
    step = micro_step("sst2", stack)
    step.training.model.eval()
    plain, before = step.forward(hidden=True), hooks(step.training)
    with last_hidden_changed(step.training.model, step.training.architecture, lambda h: h * 0):
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
    with tokens_hidden(step.training.model, step.training.architecture, hidden):
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
    with tokens_hidden(step.training.model, step.training.architecture, tail):
        erased = step.forward().logits[0]
    step.batch.inputs["attention_mask"] = step.batch.inputs["attention_mask"].masked_fill(tail, 0)
    torch.testing.assert_close(erased, step.forward().logits[0])


IDS = torch.randint(1, 50, (2, 5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("family", ["Bert", "Albert", "Electra", "Roberta", "DistilBert"])
def test_every_layer_is_given_something_else(encoders, family):
    """Also where embeddings are widened before the first, and where the layers are one block that is passed again."""
    training, seen = encoders(family), []
    plain = training.model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    with block_inputs_changed(
        training.model, training.architecture, lambda h, text: seen.append((h.shape, text.shape)) or h + 1
    ):
        changed = training.model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    assert seen == [((2, 5, 8), (2, 5))] * 3
    assert not torch.equal(plain, changed)


def test_a_shared_block_is_no_last_one(encoders):
    training = encoders("Albert")
    shared = last_hidden_changed(training.model, training.architecture, lambda h: h)
    with pytest.raises(Unsupported, match="3 layers share 1 blocks"), shared:
        pass


@pytest.mark.parametrize("change", ["tokens", "last"])
def test_nothing_is_left_also_when_the_pass_raises(micro_step, change):
    step = micro_step("sst2")
    before = hooks(step.training)

    def fail(_h):
        raise RuntimeError("out of luck")

    made = last_hidden_changed(
        step.training.model, step.training.architecture, fail if change == "last" else lambda h: h
    )
    if change == "tokens":
        made = tokens_hidden(
            step.training.model, step.training.architecture, step.real_tokens[:, :1].bool()[:2]
        )  # of a wrong shape
    with pytest.raises(RuntimeError), made:
        step.forward()
    assert hooks(step.training) == before


@pytest.fixture
def parameters():
    return [nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([[0.1]]))]


OTHERS = [torch.tensor([5.0, 6.0]), torch.tensor([[7.0]])]


@pytest.mark.parametrize("raising", [False, True])
def test_parameters_have_other_values_for_a_while_and_get_their_own_tensors_back(parameters, raising):
    before = [(p.data_ptr(), p.detach().clone()) for p in parameters]
    try:
        with weights_replaced(iter(parameters), OTHERS):
            assert all(torch.equal(p, other) for p, other in zip(parameters, OTHERS, strict=True))
            if raising:
                raise RuntimeError("out of luck")
    except RuntimeError:
        assert raising
    for parameter, (address, value) in zip(parameters, before, strict=True):
        assert parameter.data_ptr() == address
        assert torch.equal(parameter, value)


def test_gradients_taken_meanwhile_are_those_of_the_other_values(parameters):
    with weights_replaced(parameters, OTHERS):
        (parameters[0] ** 2).sum().backward()
    assert parameters[0].grad.tolist() == [10.0, 12.0]
    assert parameters[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("values", [OTHERS[:1], [*OTHERS, OTHERS[0]]])
def test_a_missing_value_changes_nothing(parameters, values):
    with pytest.raises(ValueError, match="argument"), weights_replaced(parameters, values):
        pytest.fail("entered")
    assert [p.flatten().tolist()[0] for p in parameters] == [1.0, pytest.approx(0.1)]
