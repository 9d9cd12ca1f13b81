from __future__ import annotations

import pytest
import torch
from torchao.utils import should_reduce_range

from bench_lib.techniques.compression.quantize_dynamic_int8 import QuantizeDynamicInt8
from bench_lib.techniques.toolkit.model_copies import linear_layers

IDS = torch.arange(2, 16).view(2, 7)


def integers(row, bits):
    """A row in whole steps of its largest magnitude over 127.5, or half as many."""
    step = row.abs().max() / ((2**bits - 1) / 2)
    return (row / step).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), step


def test_a_layer_by_hand(toy):
    layer, head = toy.model.body.layer[0], toy.model.classifier
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -0.5], [0.02, 0.004]]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    inputs = torch.tensor([[[3.0, 1.0], [-0.1, 0.2]]])
    small = QuantizeDynamicInt8().compress(toy)
    weights, bias = layer.weight.detach(), layer.bias.detach()
    bits = 7 if should_reduce_range(torch.device("cpu")) else 8
    for token, given in zip(inputs[0], small.body.layer[0](inputs)[0].detach(), strict=True):
        x, x_step = integers(token, bits)
        for place, weight in enumerate(weights):
            w, w_step = integers(weight, bits)
            expected = float((x * w).sum() * x_step * w_step + bias[place])
            assert float(given[place]) == pytest.approx(expected, abs=1e-5)
            assert expected == pytest.approx(float(token @ weight + bias[place]), rel=0.03)
    assert type(small.classifier.weight.data) is type(head.weight.data) is torch.Tensor
    assert type(layer.weight.data) is torch.Tensor, "the training's own model stays as it is"


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert"])
def test_the_blocks_of_every_family_are_in_int8_and_nothing_else_is(encoders, family):
    training = encoders(family)
    small = QuantizeDynamicInt8().compress(training)
    layers = {f"{name}.weight" for name in linear_layers(training.model, training.architecture)}
    quantized = {name for name, p in small.named_parameters() if type(p.data) is not torch.Tensor}
    assert quantized == layers
    assert len(layers) == 3 * 6
    with torch.no_grad():
        ours, theirs = small(IDS).logits, training.model(IDS).logits
    assert 0 < float((ours - theirs).abs().max()) < 0.25 * float(theirs.abs().max())


@pytest.mark.exhaustive
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("stack", ["adamw", "lora", "mixout", "ema"])
def test_it_runs_in_every_precision_and_the_file_shrinks(train, stack, precision):
    few = {"train_examples": 8, "eval_examples": 4, "epochs": 1, "precision": precision}
    record = train("conll2003", f"{stack}+quantize_dynamic_int8", **few).record
    assert record.status in ("converged", "collapsed"), record.reason
    saved = record.size.uncompressed_bytes - record.size.saved_bytes
    assert 0.7 * 3 * 16384 < saved < 3 * 16384 + 20000  # 16,384 weights of 4 bytes each are now of one
    assert min(record.timing.latency.latency_1, record.timing.latency.latency_32) > 0


def test_settings_of_the_process_are_as_they_were(toy, monkeypatch):
    import torch._inductor.config as compiler

    monkeypatch.setattr(compiler, "coordinate_descent_tuning", False)
    state = torch.get_rng_state()
    QuantizeDynamicInt8().compress(toy)
    assert compiler.coordinate_descent_tuning is False
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.equal(torch.get_rng_state(), state)


def test_gradients_are_those_of_the_weights_in_whole_steps(encoders):
    """The rounding has none of its own, and an attack on the model would go in a direction of no meaning."""
    training = encoders("Bert")
    small = QuantizeDynamicInt8().compress(training)
    layer, inputs = small.bert.encoder.layer[0].output.dense, torch.randn(3, 16, generator=torch.Generator())
    expected = layer.weight.dequantize().sum(0)
    asked = inputs.clone().requires_grad_()
    (found,) = torch.autograd.grad(layer(asked).sum(), asked)
    torch.testing.assert_close(found, expected.expand(3, 16))
    with torch.no_grad():
        torch.testing.assert_close(layer(asked), layer(inputs), rtol=0, atol=0)
    torch.testing.assert_close(layer(asked), layer(inputs))
