"""Changes of hidden states, and of what attention sees, that live in the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Training


@contextmanager
def last_hidden_changed(training: Training, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let `change` replace the output of the last block, (batch, length, hidden), in every forward pass.

    Raises `Unsupported` where that block is passed more than once, and so is not the last alone.
    """
    architecture = training.architecture
    if architecture.shared:
        raise Unsupported(
            f"{architecture.layers} layers share {architecture.depth} blocks, so that no block is the last alone"
        )

    def replace(_module: nn.Module, _inputs: object, output: Tensor | tuple[Any, ...]) -> Tensor | tuple[Any, ...]:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    *_, last = _part(training, architecture.block_list).children()
    handle = last.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def block_inputs_changed(training: Training, change: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
    """Let `change` replace what every block is given, (batch, length, hidden), in every forward pass.

    Beside it, `change` is told where there is no padding, (batch, length), of truth values.
    """
    text: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, options: dict[str, Any]) -> None:
        text[:] = [options["attention_mask"].bool()]

    def replace(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *others = inputs
        return (change(hidden, text[0]), *others)

    # At the blocks themselves, since some models widen the embeddings before the first, or share a block among depths.
    blocks = _part(training, training.architecture.block_list).children()
    handles = [block.register_forward_pre_hook(replace) for block in blocks]
    handles.append(training.model.register_forward_pre_hook(note, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def tokens_hidden(training: Training, hidden: Tensor) -> Iterator[None]:
    """Make tokens vanish from every forward pass: no embedding, position included, and no attention to them.

    `hidden` is (batch, length), of truth values.
    """

    def blank(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return output.masked_fill(hidden.unsqueeze(-1), 0.0)

    def unseen(_module: nn.Module, inputs: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return inputs, {**options, "attention_mask": options["attention_mask"].masked_fill(hidden, 0)}

    handles = [
        _part(training, training.architecture.embeddings).register_forward_hook(blank),
        training.model.register_forward_pre_hook(unseen, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _part(training: Training, place: str) -> nn.Module:
    # By the end of the name: a wrapper such as peft's puts a prefix before it.
    named: dict[str, nn.Module] = dict(training.model.named_modules())
    return next(module for name, module in named.items() if name == place or name.endswith(f".{place}"))
