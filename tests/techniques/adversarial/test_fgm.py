from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench_lib.core.errors import BadValue
from bench_lib.models import MODELS
from bench_lib.models.architecture import word_embeddings
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.adversarial.fgm import FGM
from bench_lib.techniques.toolkit.embedding_matrix import mean_length, uphill

IDS, REAL = [[1, 2, 0], [3, 3, 2]], [[True, True, False], [True, True, True]]
EPSILON = 0.3


def test_the_loss_at_the_shifted_point_by_hand(toy, toy_step):
    step = toy_step(IDS, REAL)
    recorded = FGM(EPSILON, scope="example").backward(step)
    clean = toy.model.get_input_embeddings().weight[torch.tensor(IDS)].sum((1, 2)).mean().item()
    # The gradient is equal in all of an example's 2 * tokens values: a step of length eps adds eps * sqrt(2 * tokens).
    gained = EPSILON * (math.sqrt(2 * 2) + math.sqrt(2 * 3)) / 2
    assert step.losses == pytest.approx([clean, clean + gained], rel=1e-5)
    assert recorded.item() == pytest.approx(clean, rel=1e-6)
    assert not recorded.requires_grad
    assert step.repeats == [0, 1]


def test_the_gradients_of_both_points_add_up(toy, toy_step):
    FGM(EPSILON, scope="example").backward(toy_step(IDS, REAL))
    # d mean(sum) / d row = occurrences / 2 examples, and the second pass adds the same again.
    expected = torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None].expand(4, 2) / 2 * 2
    torch.testing.assert_close(toy.model.get_input_embeddings().weight.grad, expected)


def test_the_embedding_matrix_never_changes(toy, toy_step):
    weight = toy.model.get_input_embeddings().weight
    before = weight.detach().clone()
    FGM(EPSILON, scope="example").backward(toy_step(IDS, REAL))
    assert torch.equal(weight, before)


def test_an_example_without_real_tokens_is_not_shifted(toy_step):
    step = toy_step(IDS, [[False] * 3, [True] * 3])
    FGM(EPSILON, scope="example").backward(step)
    assert step.losses[1] - step.losses[0] == pytest.approx(EPSILON * math.sqrt(6) / 2, rel=1e-5)


def test_the_shift_raises_the_loss(micro_step):
    step = micro_step("sst2")
    step.training.model.eval()
    losses, backward = [], step.backward
    step.backward = lambda loss: (losses.append(loss.item()), backward(loss))
    FGM(1.0, scope="example").backward(step)
    assert losses[1] > losses[0]


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_on_a_model_the_shift_of_each_text_has_the_length_epsilon(micro_step, task):
    step = micro_step(task)
    seen, outputs = [], word_embeddings(step.training.model)
    norm = step.training.model.get_submodule("bert.embeddings.LayerNorm")
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    FGM(EPSILON, scope="example").backward(step)
    clean, shifted = seen
    assert (shifted - clean).flatten(1).norm(dim=1).tolist() == pytest.approx([EPSILON] * len(clean), rel=1e-4)
    assert not outputs._forward_hooks


def test_the_matrix_is_shifted_as_one_vector_by_hand(toy, toy_step):
    step, weight = toy_step(IDS, REAL), toy.model.get_input_embeddings().weight
    before, pointer = weight.detach().clone(), weight.data_ptr()
    recorded = FGM(EPSILON).backward(step)
    clean = before[torch.tensor(IDS)].sum((1, 2)).mean().item()
    # A row's slope is how often it stands there, over 2 examples: 1, 1, 2 and 2 halves, in both of its values.
    norm = math.sqrt(2 * (0.25 + 0.25 + 1 + 1))
    assert step.losses == pytest.approx([clean, clean + EPSILON * norm], rel=1e-5)
    assert recorded.item() == pytest.approx(clean, rel=1e-6)
    assert step.repeats == [0, 1]
    expected = torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None].expand(4, 2) / 2 * 2
    torch.testing.assert_close(weight.grad, expected)
    assert torch.equal(weight, before)
    assert weight.data_ptr() == pointer


def test_a_later_part_of_a_batch_is_shifted_along_the_gradient_gathered_so_far(toy, toy_step):
    first, second = toy_step([[1, 1]], [[True] * 2]), toy_step([[2, 2]], [[True] * 2])
    FGM(EPSILON).backward(first)
    FGM(EPSILON).backward(second)
    # Of row 1 four from both passes of the first part, of row 2 two from the clean pass of the second: (4, 2) / norm.
    gained = 2 * 2 * EPSILON * 2 / math.sqrt(2 * (4**2 + 2**2))
    assert second.losses[1] - second.losses[0] == pytest.approx(gained, rel=1e-5)


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_on_a_model_the_shift_of_the_whole_matrix_has_the_length_epsilon(micro_step, task):
    step, seen = micro_step(task), []
    module = word_embeddings(step.training.model)
    handle = module.register_forward_hook(lambda module, *_: seen.append(module.weight.detach().clone()))
    FGM(EPSILON).backward(step)
    handle.remove()
    clean, shifted = seen
    assert (shifted - clean).norm().item() == pytest.approx(EPSILON, rel=1e-4)
    moved = ((shifted - clean).abs().amax(1) > 0).nonzero().flatten()
    read = step.batch.inputs["input_ids"][step.batch.inputs["attention_mask"].bool()].unique()
    assert torch.equal(moved, read), "every word of the batch, special tokens too, and no other"
    assert torch.equal(module.weight, clean)


def test_an_output_layer_that_is_tied_to_the_matrix_moves_with_it(toy, toy_step):
    model, seen = toy.model, []
    model.decoder = nn.Linear(2, 4, bias=False)
    model.decoder.weight = model.get_input_embeddings().weight
    step = toy_step(IDS, REAL)
    forward = step.forward
    step.forward = lambda *args, **more: seen.append(model.decoder.weight.detach().clone()) or forward(*args, **more)
    FGM(EPSILON).backward(step)
    assert (seen[1] - seen[0]).norm().item() == pytest.approx(EPSILON, rel=1e-5)
    assert model.decoder.weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("value", [0.0, math.inf, math.nan])
def test_a_gradient_without_direction_shifts_nothing(value):
    assert not uphill(torch.full((2, 2), value), 1.0).any()


@pytest.mark.parametrize("other", ["freeze_bottom", "linear_probe", "gradual_unfreezing", "lora", "bitfit"])
@pytest.mark.parametrize("name", ["fgm", "pgd"])
def test_frozen_embeddings_are_declined(train, name, other):
    changes = {"train_examples": 16, "eval_examples": 4}
    record = train("sst2", f"{name}+{other}", **changes).record
    assert record.status == "unsupported"
    assert record.reason.startswith(f"{name} moves the matrix of word embeddings along its gradient, and it is frozen")
    assert train("sst2", f"{name}:scope=example+{other}", **changes).record.status in ("converged", "collapsed")


@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_a_relative_radius_is_in_mean_lengths_of_a_pretrained_embedding(micro_step, stack):
    step, seen = micro_step("sst2", stack), []
    mean = (
        load_template(resolve("tiny", MODELS), TEXT_CLASSIFICATION, 2)
        .model.get_input_embeddings()
        .weight.norm(dim=1)
        .mean()
    )
    assert mean_length(step.training) == pytest.approx(mean.item(), rel=1e-6)
    norm = next(m for n, m in step.training.model.named_modules() if n.endswith("bert.embeddings.LayerNorm"))
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    FGM(EPSILON, scope="example", relative=True).backward(step)
    clean, shifted = seen
    lengths = (shifted - clean).flatten(1).norm(dim=1).tolist()
    assert lengths == pytest.approx([EPSILON * mean.item()] * len(clean), rel=1e-3)


def test_a_relative_shift_of_the_matrix_is_in_the_same_unit(toy, toy_step):
    mean = toy.pretrained["body.embeddings.weight"].norm(dim=1).mean().item()
    step = toy_step(IDS, REAL)
    FGM(EPSILON, relative=True).backward(step)
    assert step.losses[1] - step.losses[0] == pytest.approx(EPSILON * mean * math.sqrt(5), rel=1e-5)


def test_special_tokens_and_padding_are_not_real(micro_step):
    step = micro_step("rte")
    ids, mask = step.batch.inputs["input_ids"], step.batch.inputs["attention_mask"]
    cls, sep = ids[0, 0], ids[0][mask[0].bool()][-1]
    assert torch.equal(step.real_tokens, mask.bool() & (ids != cls) & (ids != sep))


def test_settings():
    assert (FGM(0.0).passes(), FGM().passes()) == ((1, 1), (2, 2))
    with pytest.raises(BadValue, match="fgm:scope is 'word'; allowed: matrix or example"):
        FGM(scope="word")
