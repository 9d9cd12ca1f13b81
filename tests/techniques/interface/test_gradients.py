from __future__ import annotations

import torch

from bench_lib.techniques.interface.gradients import with_gradients


def test_trained_parameters_with_the_gradients_that_they_have(toy):
    for parameter in toy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    toy.model.classifier.bias.grad = None
    toy.model.body.requires_grad_(False)
    pairs = with_gradients(toy)
    assert pairs.keys() == {"classifier.weight"}
    weight, gradient = pairs["classifier.weight"]
    assert weight is toy.model.classifier.weight
    assert gradient is toy.model.classifier.weight.grad
