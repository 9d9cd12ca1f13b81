"""Weights that never learn, held in bf16: half the memory, and the same bits under the autocast of bf16."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.load import copied
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.toolkit.peft_injection import read_in_fp32


def hold_frozen(training: Training, stack: Stack, loaded: Mapping[str, nn.Parameter]) -> None:
    """Hold the matrices that never learn in bf16 if the profile asks for it, once the optimiser knows which learn.

    `loaded` are the parameters as they were before any technique, by name. Of these are held the matrices of linear
    layers, which autocast rounds to bf16 at every use, and tables of embeddings whose values are those of bf16 already,
    as of a checkpoint that was stored so. The others stay in fp32: biases and norms, which are few, and weights that
    other code reads, of a layer or of a technique. Raises `Unsupported` where a technique passes through the model in
    fp32.
    """
    if training.profile.frozen_weights == "fp32":
        return
    origin = {id(parameter): name for name, parameter in loaded.items() if name in training.pretrained}
    kept = {id(parameter) for parameter in (*training.trainable().values(), *read_in_fp32(training))}
    layers = _layers(training.model)
    able = origin.keys() - kept
    frozen = {name: p for name, p in training.model.named_parameters() if id(p) in able}
    chosen = {name: p for name, p in frozen.items() if _can_be_held(p, layers[id(p)])}
    if chosen and (exact := [t.name for t in stack.techniques if t.passes_in_fp32()]):
        raise Unsupported(
            f"{exact[0]} passes through the model in fp32, and the weights that do not learn are held in 16 bits; set "
            "frozen_weights to fp32"
        )
    for name, parameter in chosen.items():
        own = origin[id(parameter)]
        training.held[name] = own if torch.equal(parameter.detach().cpu(), training.pretrained[own]) else ""
        parameter.data = parameter.data.bfloat16()
        for layer in layers[id(parameter)]:
            if isinstance(layer, nn.Embedding):
                # Not a new layer, nor a hook: those of techniques stand on this one by now, and must not see bf16.
                layer.__class__ = _HeldEmbedding


def held_share(training: Training) -> dict[str, str]:
    """Provenance: how many of a model's parameters are held in bf16; empty where the profile does not ask for it."""
    if training.profile.frozen_weights == "fp32":
        return {}
    parameters = dict(training.model.named_parameters())
    held = sum(parameters[name].numel() for name in training.held)
    return {"frozen_weights": f"{held:,} of {sum(p.numel() for p in parameters.values()):,} parameters held in 16 bits"}


def in_fp32(training: Training) -> nn.Module:
    """The model with all weights in fp32, a copy if some are held in bf16; those are as loaded, or else rounded."""
    if not training.held:
        return training.model
    whole = copied(training.model)
    for name in training.held:
        parameter = whole.get_parameter(name)
        parameter.data = training.exact(name, parameter.data).to(parameter.device, copy=True)
    return whole


def _layers(model: nn.Module) -> dict[int, list[nn.Module]]:
    """The layers that have a parameter, by its `id`."""
    found: dict[int, list[nn.Module]] = defaultdict(list)
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            found[id(parameter)].append(module)
    return found


def _can_be_held(parameter: nn.Parameter, layers: list[nn.Module]) -> bool:
    """Whether rounding a parameter to bf16 once changes nothing."""
    kinds = {type(layer) for layer in layers}
    if parameter.dim() != 2 or parameter.dtype != torch.float32 or not kinds <= {nn.Linear, nn.Embedding}:
        return False
    return nn.Embedding not in kinds or torch.equal(parameter.bfloat16().float(), parameter)


class _HeldEmbedding(nn.Embedding):
    """Embeddings in fp32 from a table that is held in bf16."""

    def forward(self, input_ids: Tensor) -> Tensor:
        return super().forward(input_ids).float()
