from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.techniques.optimisation.clip_value import ClipValue


class Trained:
    """As much of a training as the technique looks at."""

    def __init__(self, gradient):
        self.parameter = nn.Parameter(torch.zeros(len(gradient)))
        self.parameter.grad = torch.tensor(gradient)

    def trainable(self):
        return {"weight": self.parameter}


def test_every_element_by_hand(toy):
    for parameter in toy.model.parameters():
        parameter.grad = torch.tensor([-3.0, 0.25]).expand_as(parameter).clone()
    toy.model.classifier.bias.grad = None
    toy.model.body.embeddings.weight.requires_grad_(False)
    ClipValue(0.5).after_backward(toy)
    assert toy.model.classifier.bias.grad is None
    assert toy.model.classifier.weight.grad.tolist() == [[-0.5, 0.25]] * 2
    assert toy.model.body.pooler.bias.grad.tolist() == [-0.5, 0.25]
    assert toy.model.body.embeddings.weight.grad[0].tolist() == [-3.0, 0.25], "it is frozen and not in training"


@given(
    gradient=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=5), value=st.floats(0.0625, 100, width=32)
)
def test_no_element_grows_or_changes_its_sign(gradient, value):
    training = Trained(gradient)
    ClipValue(value).after_backward(training)
    assert training.parameter.grad.tolist() == [max(-value, min(value, g)) for g in torch.tensor(gradient).tolist()]


def test_it_acts_before_the_norm_is_clipped(train):
    changes = {"train_examples": 8, "eval_examples": 4, "weight_decay": 0.0, "warmup": 0.0}
    usual, cut = (train("sst2", stack, **changes) for stack in ("adamw", "clip_value:max_value=1e-12"))
    assert cut.record.curve.grad_norm == usual.record.curve.grad_norm, "the norm is taken before either"
    start = cut.training.pretrained
    # Adam's eps of 1e-6 lets next to nothing through of gradients of 1e-12: a step of 1e-9 at the rate of 1e-3.
    far = {n: (cut.parameters[n] - p).abs().max().item() for n, p in start.items()}
    assert max(far.values()) < 1e-6 < max((usual.parameters[n] - p).abs().max().item() for n, p in start.items())
