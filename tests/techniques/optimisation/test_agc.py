from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench_lib.techniques.optimisation.agc import AGC

HEAD = {"classifier.weight", "classifier.bias"}


def with_gradients(toy, weight, gradient):
    """All matrices of the toy hold these rows, of two, and all vectors the first of them."""
    weight, gradient = torch.tensor(weight), torch.tensor(gradient)
    for parameter in toy.model.parameters():
        rows = parameter.shape[0] // 2
        parameter.data = weight.repeat(rows, 1) if parameter.dim() == 2 else weight[0].clone()
        parameter.grad = gradient.repeat(rows, 1) if parameter.dim() == 2 else gradient[0].clone()


def test_units_by_hand(toy):
    # Rows of norm 5 and 0; with clipping 0.1 their gradients may have the norms 0.5 and 0.1 * eps = 0.001.
    with_gradients(toy, [[3.0, 4.0], [0.0, 0.0]], [[0.6, 0.8], [0.03, 0.04]])
    AGC(clipping=0.1, eps=0.01).after_backward(toy)
    clipped = torch.tensor([[0.3, 0.4], [0.0006, 0.0008]])
    torch.testing.assert_close(toy.model.body.pooler.weight.grad, clipped)
    torch.testing.assert_close(toy.model.body.pooler.bias.grad, clipped[0])
    torch.testing.assert_close(toy.model.body.embeddings.weight.grad, clipped.repeat(2, 1))


def test_what_is_small_enough_stays_to_the_bit(toy):
    with_gradients(toy, [[3.0, 4.0], [6.0, 8.0]], [[0.3, 0.1], [0.0, 0.0]])
    before = {n: p.grad.clone() for n, p in toy.model.named_parameters()}
    AGC(clipping=0.1).after_backward(toy)
    assert all(torch.equal(p.grad, before[n]) for n, p in toy.model.named_parameters())


def test_a_vector_is_one_unit(toy):
    with_gradients(toy, [[0.0, 5.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 1.0]])
    AGC(clipping=0.1).after_backward(toy)
    # Element by element, the first would be held at 0.1 * eps; together they are scaled from norm 5 to 0.5.
    torch.testing.assert_close(toy.model.body.pooler.bias.grad, torch.tensor([0.3, 0.4]))


def test_the_head_is_left_out(toy):
    with_gradients(toy, [[3.0, 4.0], [0.0, 1.0]], [[60.0, 80.0], [3.0, 4.0]])
    before = {n: p.grad.clone() for n, p in toy.model.named_parameters()}
    AGC().after_backward(toy)
    assert {n for n, p in toy.model.named_parameters() if torch.equal(p.grad, before[n])} == HEAD


def test_where_the_head_is_frozen_nothing_is_left_out(toy):
    with_gradients(toy, [[3.0, 4.0], [0.0, 1.0]], [[60.0, 80.0], [3.0, 4.0]])
    before = {n: p.grad.clone() for n, p in toy.model.named_parameters()}
    toy.model.classifier.requires_grad_(False)
    toy.model.body.embeddings.weight.grad = None
    AGC().after_backward(toy)
    changed = {n for n, p in toy.model.named_parameters() if p.grad is not None and not torch.equal(p.grad, before[n])}
    assert changed == before.keys() - HEAD - {"body.embeddings.weight"}
    toy.model.zero_grad()
    AGC().after_backward(toy)
    assert all(p.grad is None for p in toy.model.parameters())


@pytest.mark.parametrize(
    ("stack", "head"),
    [("agc", "classifier."), ("lora+agc", "base_model.model.classifier.modules_to_save.default.")],
)
def test_the_final_layer_is_found_under_wrappers(train, stack, head):
    training = train("sst2", stack, train_examples=8, eval_examples=4).training
    for parameter in training.trainable().values():
        parameter.grad = torch.full_like(parameter, 100.0)
    AGC().after_backward(training)
    left = {n for n, p in training.trainable().items() if (p.grad == 100.0).all()}
    assert left == {f"{head}weight", f"{head}bias"}


values = st.floats(-1e4, 1e4, width=32)


@given(
    weight=arrays("float32", (2, 2), elements=values),
    gradient=arrays("float32", (2, 2), elements=values),
    clipping=st.floats(1e-4, 10),
)
def test_no_norm_is_raised_and_no_direction_changed(weight, gradient, clipping):
    weights, gradients = torch.from_numpy(weight.copy()), torch.from_numpy(gradient.copy())
    technique = AGC(clipping=clipping)
    (scales,) = technique._scales([weights], [gradients])
    assert scales.shape == (2, 1)
    clipped = gradients * scales
    assert (clipped.norm(dim=1) <= gradients.norm(dim=1)).all()
    limits = clipping * weights.double().norm(dim=1).clamp_min(technique.eps)
    assert (clipped.double().norm(dim=1) <= limits * (1 + 1e-5) + 1e-30).all()
    assert ((scales > 0) & (scales <= 1)).all()
    small = gradients.double().norm(dim=1) < limits * (1 - 1e-5)
    assert (scales[small] == 1).all()
