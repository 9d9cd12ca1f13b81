"""How far the weights have moved from where they were pre-trained."""

from __future__ import annotations

import torch
from torch import Tensor

from bench_lib.techniques.interface.context import Training


@torch.no_grad()
def drift(training: Training) -> tuple[float, ...]:
    """The norm of the difference over the norm, for the embeddings and for each block in turn.

    Empty where a wrapper holds the pre-trained weights under other names, as peft's does, and where there are none.
    Word embeddings that a trimmed model lacks have not moved.
    """
    squares: list[list[Tensor]] = [[] for _ in range(2 * (training.architecture.depth + 1))]
    for name, parameter in training.model.named_parameters():
        layer = training.architecture.layer_index(name)
        if name in training.pretrained and training.architecture.is_pretrained(name):
            start = training.pretrained[name].to(parameter.device)
            now = training.exact(name, parameter).to(parameter.device)
            squares[2 * layer].append(torch.linalg.vector_norm(now - start).square())
            squares[2 * layer + 1].append(torch.linalg.vector_norm(start).square())
            if training.trimmed is not None and name == training.trimmed.name:
                squares[2 * layer + 1].append(training.trimmed.left_out().to(parameter.device))
    if not all(squares):
        return ()
    # Read from the device at once, and not layer by layer.
    moved, whole = torch.stack([torch.stack(parts).sum() for parts in squares]).sqrt().view(-1, 2).unbind(1)
    return tuple((moved / whole).tolist())
