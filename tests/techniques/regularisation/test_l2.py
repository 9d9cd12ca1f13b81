from __future__ import annotations

import torch

from bench_lib.techniques.regularisation.l2 import L2


def test_the_gradient_by_hand_on_all_trained_weights(toy):
    for parameter in toy.model.parameters():
        parameter.data = torch.tensor([2.0, -0.5]).expand_as(parameter).clone()
        parameter.grad = torch.full_like(parameter, 1.0)
    L2(0.25).after_backward(toy)
    for name, parameter in toy.model.named_parameters():
        expected = torch.tensor([1.5, 0.875]).expand_as(parameter)
        assert torch.equal(parameter.grad, expected), name


def test_it_is_the_gradient_of_the_penalty(toy):
    gradients = {}
    for name, parameter in toy.model.named_parameters():
        (gradients[name],) = torch.autograd.grad(0.3 / 2 * (parameter**2).sum(), parameter)
        parameter.grad = torch.zeros_like(parameter)
    L2(0.3).after_backward(toy)
    for name, parameter in toy.model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name])


def test_what_has_no_gradient_is_passed_over(toy):
    for parameter in toy.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    toy.model.classifier.bias.grad = None
    toy.model.body.embeddings.weight.requires_grad_(False)
    L2(0.5).after_backward(toy)
    assert toy.model.classifier.bias.grad is None
    assert not toy.model.body.embeddings.weight.grad.any(), "it is frozen and not in training"
    assert torch.equal(toy.model.classifier.weight.grad, 0.5 * toy.model.classifier.weight)


def test_the_curve_holds_the_norm_and_the_loss_without_it(train):
    changes = {"train_examples": 8, "eval_examples": 4}
    usual, pulled = (train("sst2", stack, **changes).record for stack in ("adamw", "l2:strength=100.0"))
    assert pulled.curve.grad_norm == usual.curve.grad_norm
    assert pulled.curve.loss == usual.curve.loss
    assert pulled.predictions.values.tobytes() != usual.predictions.values.tobytes()
