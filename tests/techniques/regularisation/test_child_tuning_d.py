from __future__ import annotations

import torch

from bench_lib.techniques.regularisation.child_tuning_d import ChildTuningD, fisher, top_share

BLOCKS = {f"body.layer.{i}.{part}" for i in (0, 1) for part in ("weight", "bias")}


class EstimationStep:
    """A micro-batch whose gradients are given: the loss is their product with the parameters."""

    def __init__(self, training, gradients):
        self.training, self.gradients, self.full_precision = training, gradients, None

    def forward(self, repeat=0, hidden=False, full_precision=False):
        self.full_precision = full_precision
        named = dict(self.training.model.named_parameters())
        return torch.stack([(named[n] * g).sum() for n, g in self.gradients.items()]).sum()

    def loss(self, output):
        return output

    def backward(self, loss):
        loss.backward()


def steps_of(toy, *scales):
    """Micro-batches in which only the first block's weight matters, elements 1 to 4, times a scale."""
    ramp = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    return [EstimationStep(toy, {"body.layer.0.weight": ramp * s, "classifier.weight": 99 * ramp}) for s in scales]


def test_fisher_by_hand_clips_each_tensor_and_squares_before_it_sums(toy):
    # The squares of 1 to 4 add up to 30: norms of 0.55, 0.55 and 1.10, which is clipped to 1.
    steps = steps_of(toy, 0.1, -0.1, 0.2)
    found = fisher(toy, steps)
    assert found.keys() == BLOCKS
    squares = torch.tensor([[1.0, 4.0], [9.0, 16.0]])
    torch.testing.assert_close(found["body.layer.0.weight"], (0.01 + 0.01 + 1 / 30) * squares, rtol=1e-5, atol=0)
    assert not found["body.layer.1.weight"].any()
    assert all(p.grad is None for p in toy.model.parameters())
    assert all(step.full_precision for step in steps)


def test_a_tensor_is_clipped_by_itself(toy):
    ones = torch.ones(2, 2)
    large = EstimationStep(toy, {"body.layer.0.weight": 1000 * ones, "body.layer.1.weight": 0.1 * ones})
    found = fisher(toy, [large])
    torch.testing.assert_close(found["body.layer.0.weight"], ones / 4, rtol=1e-5, atol=0)
    torch.testing.assert_close(found["body.layer.1.weight"], ones / 100, rtol=1e-5, atol=0)


def test_the_top_share_is_over_all_tensors_together():
    information = {"a": torch.tensor([[5.0, 1.0], [0.0, 4.0]]), "b": torch.tensor([2.0, 3.0])}
    for p, a, b in (
        (0.5, [[1, 0], [0, 1]], [0, 1]),
        (1 / 6, [[1, 0], [0, 0]], [0, 0]),
        (0.01, [[1, 0], [0, 0]], [0, 0]),
    ):
        masks = top_share(information, p)
        assert masks["a"].tolist() == a
        assert masks["b"].tolist() == b


def test_the_gradient_of_the_blocks_is_masked_and_nothing_else(toy):
    technique = ChildTuningD(0.2)  # of 12 elements, the 2 with the largest information
    technique.estimate(toy, steps_of(toy, 1.0))
    for step in (0, 1):
        toy.step = step
        for parameter in toy.model.parameters():
            parameter.grad = torch.full_like(parameter, 7.0)
        technique.after_backward(toy)
        gradients = {n: p.grad for n, p in toy.model.named_parameters()}
        assert gradients["body.layer.0.weight"].tolist() == [[0.0, 0.0], [7.0, 7.0]]
        assert {n for n, g in gradients.items() if (g == 7.0).all()} == gradients.keys() - BLOCKS
        assert not any(gradients[n].any() for n in BLOCKS - {"body.layer.0.weight"})


def test_frozen_blocks_are_no_part_of_the_child_network(toy):
    for parameter in toy.model.body.layer[0].parameters():
        parameter.requires_grad_(False)
    assert fisher(toy, []).keys() == {n for n in BLOCKS if "layer.1" in n}
    for parameter in toy.model.body.layer.parameters():
        parameter.requires_grad_(False)
    technique = ChildTuningD()
    technique.estimate(toy, [])
    technique.after_backward(toy)


def test_it_surveys_one_epoch_unless_all_is_kept(toy):
    assert ChildTuningD().estimation_passes() == (1, 1)
    assert ChildTuningD(1.0).estimation_passes() == (0, 0)
    steps = iter(steps_of(toy, 1.0))
    ChildTuningD(1.0).estimate(toy, steps)
    assert len(list(steps)) == 1


def test_in_a_run_the_share_p_of_the_blocks_moves(train):
    trained = train("sst2", "child_tuning_d", eval_examples=4, weight_decay=0.0, schedule="constant_with_warmup")
    blocks = {n: s for n, s in trained.training.pretrained.items() if "encoder.layer" in n}
    moved = sum((trained.parameters[n] != start).sum().item() for n, start in blocks.items())
    # At most p; a little less where a step was too small to change a number.
    assert 0.27 <= moved / sum(start.numel() for start in blocks.values()) <= 0.3001
    words = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(trained.parameters[words], trained.training.pretrained[words])
