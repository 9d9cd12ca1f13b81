from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.regularisation.repina import Repina

FEW = {"train_examples": 16, "eval_examples": 4}
IDS, REAL = [[1, 2], [3, 0]], [[True, True], [True, False]]


def test_loss_and_gradient_by_hand(toy, toy_step):
    """The toy's hidden states are its embeddings; two rows of first tokens, two units, moved by 3 and 1."""
    weight = toy.model.get_input_embeddings().weight
    start = toy.pretrained["body.embeddings.weight"]
    with torch.no_grad():
        weight[1] += torch.tensor([3.0, 0.0])
        weight[3] += torch.tensor([0.0, 1.0])
        weight[2] += 100.0  # no first token
    step = toy_step(IDS, REAL)
    plain = weight[torch.tensor(IDS)].sum((1, 2)).mean().item()
    loss = Repina(0.5).backward(step)
    assert loss.item() == pytest.approx(plain + 0.5 * (9 + 1) / 4, rel=1e-5)
    assert not loss.requires_grad
    # d mean(d^2) = 2 d / 4, and the plain loss is half the sum of each token's values.
    assert weight.grad[1].tolist() == pytest.approx([0.5 + 0.5 * 2 * 3 / 4, 0.5])
    assert weight.grad[3].tolist() == pytest.approx([0.5, 0.5 + 0.5 * 2 / 4])
    assert weight.grad[2].tolist() == pytest.approx([0.5, 0.5])
    assert step.repeats == [0, 0], "both passes have the same dropout masks"
    assert torch.equal(toy.pretrained["body.embeddings.weight"], start)
    assert not torch.equal(weight, start), "the weights in training are back in their place"


def test_it_begins_at_the_plain_loss(micro_step):
    step = micro_step("sst2")
    with torch.no_grad():
        plain = step.loss(step.forward(full_precision=True))
    assert Repina(1e4).backward(step).item() == pytest.approx(plain.item(), rel=1e-6)


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_a_strong_pull_keeps_the_states_near(train, task):
    def distance(stack):
        run = train(task, stack, learning_rate=1e-3, epochs=3, **FEW)
        starts = run.training.pretrained.items()
        return torch.stack([(run.parameters[n] - start).norm() for n, start in starts]).sum().item(), run.record

    (free, base), (held, record) = distance("adamw"), distance("repina:strength=1000.0")
    assert held < free
    assert record.cost.forward_passes == 2 * base.cost.forward_passes


def test_without_a_strength_it_is_one_plain_pass(toy_step):
    step = toy_step(IDS, REAL)
    Repina(0.0).backward(step)
    assert step.repeats == [0]
    assert (Repina().passes(), Repina(0.0).passes()) == ((2, 1), (1, 1))


def test_a_frozen_body_is_declined(toy, toy_step):
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="repina finds no parameter in training"):
        Repina().backward(toy_step(IDS, REAL))
