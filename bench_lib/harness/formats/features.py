"""What models read: one tokenised sequence, and a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import BatchEncoding

IGNORED = -100
"""The target of a token that has none, as torch's cross-entropy skips it by default."""


@dataclass(frozen=True, eq=False)
class Feature:
    """One sequence for the model; a long example on a context gives several.

    `targets` is the class or the number, the labels of a set, a target for each token, or the answer's first and last
    token. `spots` are the tokens that
    the answer is read from: the text's own, or the mask of a prompt, the first sub-token of each word, or the tokens of
    the context; `places` says which word each is, or where it starts and ends in the context's characters. `row` is the
    token that stands for all of the sequence: the first one, or in a causal model or one of two stacks the last.
    """

    item: int
    input_ids: np.ndarray  # (length,)
    token_types: np.ndarray | None  # (length,)
    special: np.ndarray  # (length,), True for special tokens
    targets: np.ndarray  # (1,), (labels of the set,), (length,) or (2,)
    spots: np.ndarray  # (spots,)
    places: np.ndarray  # (spots,) or (spots, 2)
    row: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, eq=False)
class Batch:
    """A padded batch on its device; `counted` is its number of targets, which weighs it against its fellows."""

    inputs: dict[str, Tensor]  # each (batch, length)
    targets: Tensor  # (batch,), (batch, most labels), (batch, length) or (batch, 2)
    real_tokens: Tensor  # (batch, length), True where neither padding nor special
    places: Tensor  # (batch, length), True at the token that the row is about: its `row`, or a prompt's mask
    tokens: int
    counted: int


def feature_of(
    encoded: BatchEncoding,
    row_and_item: tuple[int, int],
    targets: np.ndarray,
    spots: np.ndarray,
    places: np.ndarray,
    row: int = 0,
) -> Feature:
    """The feature of one row of what a tokenizer gave, for the example of a number."""
    number, item = row_and_item
    types = encoded.get("token_type_ids")
    return Feature(
        item=item,
        input_ids=np.array(encoded["input_ids"][number]),
        token_types=None if types is None else np.array(types[number]),
        special=np.array(encoded["special_tokens_mask"][number], dtype=bool),
        targets=targets,
        spots=spots,
        places=places,
        row=row,
    )


def asked_for_words(feature: Feature, read: np.ndarray, is_target: np.ndarray, next_token: bool) -> Feature:
    """A sequence that reads these ids and is asked for its own at the targets, both (length,).

    A token is asked for at its place, or as the `next_token` at the place before it.
    """
    targets = np.where(is_target, feature.input_ids, IGNORED)
    if next_token:
        targets = np.append(targets[1:], IGNORED)
    return replace(feature, input_ids=read, targets=targets)


def padded(rows: Sequence[np.ndarray], length: int, fill: int) -> Tensor:
    """Rows of whole numbers, each filled up to a length: (rows, length)."""
    table = np.full((len(rows), length), fill, dtype=np.int64)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(table)
