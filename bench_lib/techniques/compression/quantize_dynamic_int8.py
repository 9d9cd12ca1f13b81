"""Dynamic quantization: linear layers in int8."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.extras import optional
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.model_copies import linear_layers, plain_copy


@dataclass(frozen=True)
class QuantizeDynamicInt8(
    Technique,
    name="quantize_dynamic_int8",
    family="compression",
    paper="Zafrir et al. 2019, arXiv:1910.06188",
    identity=None,
    packages=("torchao",),
    no_identity="int8 is one precision; its test shows how far from the exact values its rounding leads",
    observer=True,
    no_trimming="it is measured beside the whole model: size, sparsity and latency",
):
    """After training, the linear layers of the blocks compute in int8, through torchao; nothing trains afterwards.

    w_q = round(w / s),  s = max|w| / 127.5 of its row;  x_q, s_x likewise of each token;  y = s_x s w_q x_q + b

    Source: Zafrir et al. 2019, "Q8BERT", and mode DYNAMIC of
    IntelLabs/nlp-architect:nlp_architect/nn/torch/quantization.py, which has max / 127 of a whole tensor and quantizes
    embeddings too; that their baseline of dynamic quantization was trained without is not verified. Embeddings, pooler
    and head stay in fp32 as our choice: the first are looked up and not multiplied, and the last is too narrow for int8
    kernels. Rows and tokens have scales of their own, which is torchao's default. Without a compiler the activations
    are quantized in steps of their own, which costs more than it saves on small batches; a processor without VNNI gets
    7 bits, since its products would overflow.
    """

    def compress(self, training: Training) -> nn.Module:
        with optional("torchao"):  # heavy: only runs that use it pay for it
            from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
            from torchao.utils import should_reduce_range

        model = plain_copy(training.model)
        layers = linear_layers(model, training.architecture)
        if not layers:
            raise Unsupported(f"quantize_dynamic_int8 finds no linear layer in the blocks of {type(model).__name__}")
        config = Int8DynamicActivationInt8WeightConfig(
            # It would change settings of torch's compiler for the whole process.
            set_inductor_config=False,
            reduce_range=should_reduce_range(training.device),
        )
        quantize_(model, config, filter_fn=lambda _module, name: name in layers)
        for layer in layers.values():
            layer.register_forward_hook(straight_through)
        return model


def straight_through(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor | None:
    """For a gradient, as in an attack, use that of the layer without rounding, since the rounded one's is 0."""
    if not (torch.is_grad_enabled() and inputs[0].requires_grad):
        return None
    exact = nn.functional.linear(inputs[0], layer.get_parameter("weight").dequantize(), getattr(layer, "bias", None))
    return output.detach() + (exact - exact.detach())
