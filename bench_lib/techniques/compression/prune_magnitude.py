"""Magnitude pruning: the smallest weights become 0."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.model_copies import linear_layers, plain_copy, portion


@dataclass(frozen=True)
class PruneMagnitude(
    Technique,
    name="prune_magnitude",
    family="compression",
    paper="Han et al. 2015, arXiv:1506.02626; Gordon et al. 2020, arXiv:2002.08307",
    identity={"share": 0.0},
    observer=True,
    no_trimming="it is measured beside the whole model: size, sparsity and latency",
):
    """After training, the smallest weights of each linear layer of the blocks become 0; nothing trains afterwards.

    w <- 0  for the share of the weights of each matrix with the smallest |w|

    Han et al. 2015, "Learning both Weights and Connections", section 3; for BERT, Gordon et al. 2020, "Compressing
    BERT", who find 30 to 40 % to do no harm, with training between prunings. Source: both papers (settings not
    verified). Half, and that every matrix loses the same share and embeddings, norms, biases, pooler and head lose
    nothing, is our choice. A 0 is stored and multiplied like any number: the file and the latency stay as they are, and
    the sparsity says what a sparse format could save.
    """

    share: float = bounded(0.5, "[0, 1)", "0 (nothing) up to, not including, 1")

    def compress(self, training: Training) -> nn.Module:
        if self.share == 0:
            return copy.deepcopy(training.model)
        model = plain_copy(training.model)
        layers = linear_layers(model, training.architecture)
        if not layers:
            raise Unsupported(f"prune_magnitude finds no linear layer in the blocks of {type(model).__name__}")
        for layer in layers.values():
            weight = layer.get_parameter("weight")
            clear_smallest(weight.data, portion(self.share, weight.numel()))
        return model


def clear_smallest(weight: Tensor, number: int) -> None:
    """Set the smallest elements to 0."""
    flat = weight.view(-1)
    flat[torch.topk(flat.abs(), number, largest=False, sorted=False).indices] = 0.0
