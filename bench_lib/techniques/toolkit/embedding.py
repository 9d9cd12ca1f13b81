"""Changes of the embedded sequence that live in the forward pass: the embedding matrix itself is never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from bench_lib.models.architecture import word_embeddings


@contextmanager
def embedding_changed(model: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let `change` replace the word embeddings of every forward pass, (batch, length, hidden), also if one raises."""
    handle = word_embeddings(model).register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        yield
    finally:
        handle.remove()
