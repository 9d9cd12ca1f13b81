from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.regularisation.dps import DPS, most_informed
from bench_lib.techniques.toolkit.dropout_rates import drops_out

MATRICES = ("body.layer.0.weight", "body.layer.1.weight", "body.pooler.weight")


def gradient(toy, technique, step, values):
    """What is left of one gradient of every parameter at a step."""
    toy.step = step
    for parameter in toy.model.parameters():
        filler = torch.tensor(values).flatten().repeat(-(-parameter.numel() // 4))[: parameter.numel()]
        parameter.grad = filler.view_as(parameter).clone()
    technique.after_backward(toy)
    return {name: p.grad for name, p in toy.model.named_parameters()}


def test_stages_by_hand(toy):
    """Of 10 steps a stage has 2; half of each matrix rests."""
    technique = DPS(p=0.5, update_ratio=0.2)
    everything = [1.0, 2.0, 3.0, 4.0]
    for step in (0, 1):
        found = gradient(toy, technique, step, [[0.0, 3.0], [-2.0, 1.0]])
        assert found[MATRICES[0]].tolist() == [[0.0, 3.0], [-2.0, 1.0]]
    # F is 0, 18, 8, 2: the second and the third train.
    for step in (2, 3):
        found = gradient(toy, technique, step, everything)
        for name, value in found.items():
            expected = [0.0, 2.0, 3.0, 0.0] if name in MATRICES else everything
            assert value.flatten()[:4].tolist() == expected[: value.numel()], name
    # Then from scratch, by what comes now.
    for step in (4, 5):
        assert gradient(toy, technique, step, [5.0, 0.0, 0.0, 5.0])[MATRICES[1]].flatten().tolist() == [5, 0, 0, 5]
    assert gradient(toy, technique, 6, everything)[MATRICES[2]].flatten().tolist() == [1, 0, 0, 4]
    assert (toy.reported["dps.stage"], toy.reported["dps.trained"]) == (2, 0.5)


@pytest.mark.parametrize(("p", "kept"), [(0.0, 10), (0.3, 7), (0.25, 8), (0.7, 3), (0.99, 1)])
def test_the_share_that_rests_is_p_of_each_matrix(p, kept):
    assert most_informed(torch.arange(10.0).view(5, 2), p).sum() == kept


def test_equal_values_train_together():
    assert most_informed(torch.zeros(4), 0.5).all()


def test_a_gradient_that_overflowed_says_nothing(toy):
    technique = DPS(p=0.5, update_ratio=0.1)
    gradient(toy, technique, 0, [float("inf"), float("nan"), 1.0, 2.0])
    assert gradient(toy, technique, 1, [1.0] * 4)[MATRICES[0]].flatten().tolist() == [0, 0, 1, 1]


def test_a_short_run_has_stages_of_one_step(toy):
    technique = DPS(p=0.5)
    assert (gradient(toy, technique, 0, [1.0, 0.0, 0.0, 1.0])[MATRICES[0]].flatten()).tolist() == [1, 0, 0, 1]
    assert (gradient(toy, technique, 1, [1.0] * 4)[MATRICES[0]].flatten()).tolist() == [1, 0, 0, 1]
    assert toy.reported["dps.stage"] == 1


def test_without_a_block_in_training_nothing_happens(toy):
    for name, parameter in toy.model.named_parameters():
        parameter.requires_grad_("classifier" in name)
    technique = DPS(p=0.5)
    for step in (0, 1):
        assert gradient(toy, technique, step, [1.0] * 4)["classifier.weight"].flatten().tolist() == [1] * 4
    assert not toy.reported


def test_dropout_is_off_unless_it_is_left(toy):
    toy.model.drop = torch.nn.Dropout(0.1)
    for technique in (DPS(p=0.0), DPS(dropout=None)):
        technique.prepare(toy)
        assert drops_out(toy.model)
    DPS().prepare(toy)
    assert not drops_out(toy.model)


def test_in_a_run_what_rests_does_not_move(moves):
    """Without momentum or decay: in stage II three tenths of each matrix stay as they are."""
    changes = {"train_examples": 32, "batch_size": 4, "eval_examples": 4, "weight_decay": 0.0, "warmup": 0.0}
    record, steps = moves("sst2", "sgd:learning_rate=1.0:momentum=0.0+dps:update_ratio=0.25", **changes)
    assert record.reported["dps.stage"] == int(0.25 * record.cost.steps)
    name = "bert.encoder.layer.1.output.dense.weight"
    still = [(step[name] == 0).float().mean().item() for step in steps]
    stage = int(record.reported["dps.stage"])
    assert max(still[1:stage]) < 0.2
    assert min(still[stage : 2 * stage - 1]) >= 0.29
    assert record.reported["dps.trained"] == pytest.approx(0.7, abs=0.01)
