"""Word embeddings that hold the rows of some tokens alone: the same outputs from a smaller matrix."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import word_embeddings

ABSENT = -1
"""The row of a token that has none."""


class TrimmedEmbedding(nn.Embedding):
    """The rows of an embedding for some token ids; another id raises `Unsupported`."""

    def __init__(self, whole: nn.Embedding, kept: Tensor) -> None:
        rows = torch.full((whole.num_embeddings,), ABSENT)
        rows[kept] = torch.arange(len(kept))
        padding = None if whole.padding_idx is None else int(rows[whole.padding_idx])
        weight = whole.weight.detach()[kept.to(whole.weight.device)]
        super().__init__(len(kept), whole.embedding_dim, padding_idx=padding, _weight=weight)
        self.weight.requires_grad_(whole.weight.requires_grad)
        self.register_buffer("rows", rows.to(weight.device), persistent=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        rows = self.get_buffer("rows")[input_ids]
        # On a GPU a row below 0 would end the process, and a check is one number read from the device. Of a negative
        # id the row would be that of a token at the vocabulary's end.
        if bool((strange := (rows < 0) | (input_ids < 0)).any()):
            absent = sorted(set(input_ids[strange].tolist()))
            raise Unsupported(
                f"token {absent[0]} is none of the {self.num_embeddings:,} that the run's texts have, whose embeddings "
                f"alone are there ({len(absent)} such tokens in this batch); set trim_vocabulary to False"
            )
        return super().forward(rows)


@dataclass(frozen=True, eq=False)
class Trimmed:
    """What a trimmed model lacks: the rows of the matrix `name` for all tokens but those that are `kept`.

    `whole` is the matrix as it was pre-trained, (vocabulary, width), on the CPU; `kept` are token ids in rising order.
    """

    name: str
    kept: Tensor
    whole: Tensor

    @functools.cached_property
    def lengths(self) -> Tensor:
        """The length of each pre-trained row, (vocabulary,)."""
        lengths: Tensor = torch.linalg.vector_norm(self.whole, dim=1)
        return lengths

    def left_out(self) -> Tensor:
        """The sum of squares of the rows that the model lacks."""
        squares = self.lengths.square()
        squares[self.kept] = 0.0
        return squares.sum()

    def filled(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights by name, with the whole matrix in place of its rows; those that lack are as they were pre-trained."""
        return {name: self._fill(value) if self._is_matrix(name) else value for name, value in weights.items()}

    def restore(self, model: nn.Module) -> None:
        """Give a trimmed model its whole matrix back; the rows that it lacks are as they were pre-trained."""
        for name, module in [*model.named_modules()]:
            if isinstance(module, TrimmedEmbedding):
                padding = None if module.padding_idx is None else int(self.kept[module.padding_idx])
                weight = self._fill(module.weight.detach())
                count, width = weight.shape
                whole = nn.Embedding(count, width, padding_idx=padding, _weight=weight).train(module.training)
                whole.weight.requires_grad_(module.weight.requires_grad)
                model.set_submodule(name, whole)

    def _is_matrix(self, name: str) -> bool:
        # Matched at the end of the name, since a wrapper such as peft's adds a prefix.
        return name == self.name or name.endswith(f".{self.name}")

    def _fill(self, rows: Tensor) -> Tensor:
        whole = self.whole.to(rows.device, copy=True)
        whole[self.kept.to(rows.device)] = rows
        return whole


def untrimmable(model: nn.Module) -> str:
    """Why a model cannot hold the rows of some tokens alone; empty where it can."""
    words = word_embeddings(model)
    if type(words) is not nn.Embedding:
        return f"its word embeddings are a {type(words).__name__}, which may do more than look up rows"
    if words.max_norm is not None or words.scale_grad_by_freq or words.sparse:
        return "its word embeddings do more than look up rows: they are rescaled, or have gradients of another kind"
    named = model.named_parameters(remove_duplicate=False)
    names = [name for name, parameter in named if parameter is words.weight]
    return f"its word embeddings are also {', '.join(names[1:])}, which may read all of their rows" * (len(names) > 1)


def trim(model: nn.Module, tokens: Iterable[int]) -> tuple[str, Tensor]:
    """Let a model hold the word embeddings of these tokens alone; the matrix's name, and the ids that are kept.

    The padding that the model knows is kept as well. Raises `Unsupported` for a model that cannot do so.
    """
    if reason := untrimmable(model):
        raise Unsupported(f"{reason}; set trim_vocabulary to False")
    words = word_embeddings(model)
    assert isinstance(words, nn.Embedding)
    padding = {words.padding_idx} if words.padding_idx is not None else set[int]()
    kept = torch.tensor(sorted({*tokens} | padding))
    trimmed = TrimmedEmbedding(words, kept).train(words.training)
    name = next(name for name, parameter in model.named_parameters() if parameter is words.weight)
    for place, module in [*model.named_modules(remove_duplicate=False)]:
        if module is words:
            model.set_submodule(place, trimmed)
    return name, kept
