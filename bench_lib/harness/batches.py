"""Batches: examples of similar length together, padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch, Feature, padded
from bench_lib.tasks.formats import Format


def epoch_order(lengths: Sequence[int], batch_size: int, pool: int, generator: torch.Generator) -> list[list[int]]:
    """Indices of an epoch's batches, every example once, shuffled; `pool` batches at a time are sorted by length.

    Sorting within pools of a shuffled order saves most of the padding and still gives every epoch other batches.
    """
    shuffled = torch.randperm(len(lengths), generator=generator).tolist()
    span = batch_size * pool
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), span):
        # Sorting is stable, so that equal lengths stay shuffled.
        members = sorted(shuffled[start : start + span], key=lengths.__getitem__)
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def by_length(features: Sequence[Feature], batch_size: int) -> list[list[int]]:
    """Indices of evaluation batches, longest first, so that the peak of memory comes at once."""
    order = sorted(range(len(features)), key=lambda i: -len(features[i]))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def collate(features: Sequence[Feature], task_format: Format, pad_id: int, device: torch.device) -> Batch:
    """Pad features to the longest of them."""
    length = max(map(len, features))
    inputs = {"input_ids": padded([f.input_ids for f in features], length, pad_id)}
    inputs["attention_mask"] = padded([np.ones(len(f), dtype=np.int64) for f in features], length, 0)
    types = [f.token_types for f in features if f.token_types is not None]
    if types:
        inputs["token_type_ids"] = padded(types, length, 0)
    half = torch_half(task_format)
    targets = half.targets(features, length)
    places = torch.zeros(len(features), length, dtype=torch.bool)
    places[range(len(features)), list(map(half.row_place, features))] = True
    return Batch(
        inputs={name: tensor.to(device) for name, tensor in inputs.items()},
        targets=targets.to(device),
        real_tokens=~padded([f.special for f in features], length, 1).bool().to(device),
        places=places.to(device),
        tokens=sum(map(len, features)),
        counted=half.counted(targets),
    )
