from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.regularisation.spd import SPD

WEIGHT = "body.layer.0.weight"


def step(toy, technique, gradient, start, end, name=WEIGHT):
    """One step of a run: the weight lies `start` from its anchor, the optimiser moves it to `end`; what is left."""
    weight, anchor = toy.model.get_parameter(name), toy.pretrained[name]
    with torch.no_grad():
        weight.copy_(anchor + torch.tensor(start))
    weight.grad = torch.tensor(gradient)
    technique.after_backward(toy)
    with torch.no_grad():
        weight.copy_(anchor + torch.tensor(end))
    technique.after_update(toy)
    return (weight.detach() - anchor).flatten().tolist()


OUT, NEAR, FAR = [[1.0, 0.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 4.0]], [[30.0, 0.0], [0.0, 40.0]]


def test_a_pull_by_hand(toy):
    # From 3, 4 (distance 5) to 6, 8 (distance 10), while g . d = 3 > 0: r = (10 - 5) / 10.
    far = [[6.0, 0.0], [0.0, 8.0]]
    assert step(toy, SPD(0.5), OUT, NEAR, far) == pytest.approx([4.5, 0, 0, 6], abs=1e-5)
    # At strength 1 the distance is what it was, at 2 the weight is back.
    toy.memory.clear()
    assert step(toy, SPD(1.0), OUT, NEAR, far) == pytest.approx([3, 0, 0, 4], abs=1e-5)
    toy.memory.clear()
    assert step(toy, SPD(2.0), OUT, NEAR, far) == pytest.approx([0, 0, 0, 0], abs=1e-5)


def test_no_pull_goes_beyond_the_anchor(toy):
    assert step(toy, SPD(1000.0), OUT, NEAR, FAR) == pytest.approx([0] * 4, abs=1e-5)


def test_a_gradient_that_leads_away_is_followed(toy):
    away = [[-1.0, 0.0], [0.0, 0.0]]
    assert step(toy, SPD(), away, NEAR, FAR) == pytest.approx([30, 0, 0, 40], abs=1e-4)


def test_a_step_that_shortens_the_distance_is_left(toy):
    assert step(toy, SPD(), OUT, FAR, NEAR) == pytest.approx([3, 0, 0, 4], abs=1e-5)


def test_the_first_step_is_free(toy):
    assert step(toy, SPD(), OUT, [[0.0, 0.0], [0.0, 0.0]], NEAR) == pytest.approx([3, 0, 0, 4], abs=1e-5)


def test_tensors_are_pulled_each_by_itself_and_the_head_not_at_all(toy):
    other, head = toy.model.get_parameter("body.layer.1.weight"), toy.model.classifier.weight
    with torch.no_grad():
        other += 1.0
        head += 1.0
    kept, top = other.detach().clone(), head.detach().clone()
    other.grad, head.grad = -torch.ones(2, 2), torch.ones(2, 2)
    step(toy, SPD(), OUT, NEAR, FAR)
    assert torch.equal(other, kept)
    assert torch.equal(head, top)


def test_under_plain_gradient_descent_there_is_nothing_to_pull(train):
    record = train("sst2", "sgd:momentum=0.0+spd", train_examples=16, eval_examples=4).record
    assert record.reported["spd.pulled"] < 0.1  # a key's bias has no gradient but rounding, two such of 39 tensors


def test_a_run_under_adam_stays_nearer_and_says_how_often_it_was_pulled(train):
    changes = {"eval_examples": 4, "epochs": 4, "weight_decay": 0.0, "learning_rate": 1e-3}

    def distance(run):
        moved = [(run.parameters[n] - start).square().sum() for n, start in run.training.pretrained.items()]
        return torch.stack(moved).sum().sqrt().item()

    free, held = (train("sst2", stack, **changes) for stack in ("adamw", "spd:strength=2.0"))
    assert 0 < held.record.reported["spd.pulled"] < 1
    assert distance(held) < 0.95 * distance(free)


def test_the_decay_is_off_where_it_pulls(toy):
    groups = [Group(dict(toy.model.named_parameters()), 0.1, 0.01)]
    decay = {n: g.weight_decay for g in SPD().groups(groups, toy) for n in g.parameters}
    assert decay == {n: 0.0 if n in toy.pretrained else 0.01 for n in decay}
    assert SPD(0.0).groups(groups, toy) is groups


def test_without_a_body_there_is_nothing_to_pull(toy):
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="spd finds no parameter"):
        SPD().after_backward(toy)
