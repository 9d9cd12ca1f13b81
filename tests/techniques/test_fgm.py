from __future__ import annotations

import math

import pytest
import torch

from bench_lib.errors import BadValue
from bench_lib.techniques.anatomy import word_embeddings
from bench_lib.techniques.fgm import FGM

IDS, REAL = [[1, 2, 0], [3, 3, 2]], [[True, True, False], [True, True, True]]
EPSILON = 0.3


def test_the_loss_at_the_shifted_point_by_hand(toy, toy_step):
    step = toy_step(IDS, REAL)
    recorded = FGM(EPSILON).backward(step)
    clean = toy.model.get_input_embeddings().weight[torch.tensor(IDS)].sum((1, 2)).mean().item()
    # The gradient is equal in all of an example's 2 * tokens values: a step of length eps adds eps * sqrt(2 * tokens).
    gained = EPSILON * (math.sqrt(2 * 2) + math.sqrt(2 * 3)) / 2
    assert step.losses == pytest.approx([clean, clean + gained], rel=1e-5)
    assert recorded.item() == pytest.approx(clean, rel=1e-6)
    assert not recorded.requires_grad
    assert step.repeats == [0, 1]


def test_the_gradients_of_both_points_add_up(toy, toy_step):
    FGM(EPSILON).backward(toy_step(IDS, REAL))
    # d mean(sum) / d row = occurrences / 2 examples, and the second pass adds the same again.
    expected = torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None].expand(4, 2) / 2 * 2
    torch.testing.assert_close(toy.model.get_input_embeddings().weight.grad, expected)


def test_the_embedding_matrix_never_changes(toy, toy_step):
    weight = toy.model.get_input_embeddings().weight
    before = weight.detach().clone()
    FGM(EPSILON).backward(toy_step(IDS, REAL))
    assert torch.equal(weight, before)


def test_an_example_without_real_tokens_is_not_shifted(toy_step):
    step = toy_step(IDS, [[False] * 3, [True] * 3])
    FGM(EPSILON).backward(step)
    assert step.losses[1] - step.losses[0] == pytest.approx(EPSILON * math.sqrt(6) / 2, rel=1e-5)


def test_the_shift_raises_the_loss(micro_step):
    step = micro_step("sst2")
    step.training.model.eval()
    losses, backward = [], step.backward
    step.backward = lambda loss: (losses.append(loss.item()), backward(loss))
    FGM(1.0).backward(step)
    assert losses[1] > losses[0]


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_on_a_model_the_shift_of_each_text_has_the_length_epsilon(micro_step, task):
    step = micro_step(task)
    seen, outputs = [], word_embeddings(step.training.model)
    norm = step.training.model.get_submodule("bert.embeddings.LayerNorm")
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    FGM(EPSILON).backward(step)
    clean, shifted = seen
    assert (shifted - clean).flatten(1).norm(dim=1).tolist() == pytest.approx([EPSILON] * len(clean), rel=1e-4)
    assert not outputs._forward_hooks


def test_special_tokens_and_padding_are_not_real(micro_step):
    step = micro_step("rte")
    ids, mask = step.batch.inputs["input_ids"], step.batch.inputs["attention_mask"]
    cls, sep = ids[0, 0], ids[0][mask[0].bool()][-1]
    assert torch.equal(step.real_tokens, mask.bool() & (ids != cls) & (ids != sep))


def test_settings():
    assert (FGM(0.0).passes(), FGM().passes()) == ((1, 1), (2, 2))
    for epsilon in (-0.1, math.nan, math.inf):
        with pytest.raises(BadValue, match="fgm:epsilon"):
            FGM(epsilon)
