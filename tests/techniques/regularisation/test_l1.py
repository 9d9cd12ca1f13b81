from __future__ import annotations

import torch

from bench_lib.techniques.regularisation.l1 import L1


def set_to(toy, weight, gradient):
    for parameter in toy.model.parameters():
        parameter.data = torch.tensor(weight).repeat(2)[: parameter.shape[-1]].expand_as(parameter).clone()
        parameter.grad = torch.full_like(parameter, gradient)


def test_the_gradient_by_hand_on_all_trained_weights(toy):
    set_to(toy, [2.0, -0.5], 1.0)
    L1(0.25).after_backward(toy)
    for name, parameter in toy.model.named_parameters():
        expected = torch.tensor([1.25, 0.75]).expand_as(parameter)
        assert torch.equal(parameter.grad, expected), name


def test_it_is_the_gradient_of_the_penalty(toy):
    gradients = {}
    for name, parameter in toy.model.named_parameters():
        (gradients[name],) = torch.autograd.grad(0.3 * parameter.abs().sum(), parameter)
        parameter.grad = torch.zeros_like(parameter)
    L1(0.3).after_backward(toy)
    for name, parameter in toy.model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name])


def test_a_weight_of_zero_is_not_pulled(toy):
    set_to(toy, [0.0, 3.0], 0.0)
    L1(0.5).after_backward(toy)
    assert toy.model.classifier.bias.grad.tolist() == [0.0, 0.5]


def test_what_has_no_gradient_is_passed_over(toy):
    set_to(toy, [1.0, 1.0], 1.0)
    toy.model.classifier.bias.grad = None
    toy.model.body.embeddings.weight.requires_grad_(False)
    L1(0.5).after_backward(toy)
    assert toy.model.classifier.bias.grad is None
    assert toy.model.body.embeddings.weight.grad.unique().tolist() == [1.0], "it is frozen and not in training"
    assert toy.model.classifier.weight.grad.unique().tolist() == [1.5]
    for parameter in toy.model.parameters():
        parameter.grad = None
    L1(0.5).after_backward(toy)
    assert all(p.grad is None for p in toy.model.parameters())


def test_adam_makes_a_whole_step_of_it_where_there_is_no_other_gradient(train):
    changes = {"eval_examples": 4, "weight_decay": 0.0, "schedule": "constant_with_warmup", "warmup": 0.0}
    free, pulled = (train("sst2", stack, clip_norm=float("inf"), **changes) for stack in ("adamw", "l1:strength=1.0"))
    name = "bert.embeddings.word_embeddings.weight"
    start = pulled.training.pretrained[name]
    unseen = (free.parameters[name] == start).all(1)
    assert unseen.float().mean() > 0.9
    moved = (start - pulled.parameters[name])[unseen]
    far = start[unseen].abs() > 0.01
    # Four steps of the rate of 1e-3, each towards zero.
    torch.testing.assert_close(moved[far], (4e-3 * start[unseen].sign())[far], rtol=1e-2, atol=0.0)
