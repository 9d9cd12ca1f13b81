"""Temporary changes of a model: its embeddings, hidden states, tokens and weights; and means of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import Architecture, word_embeddings
from bench_lib.models.wrapped import pretrained_in


@contextmanager
def embedding_changed(model: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let `change` replace the word embeddings, (batch, length, hidden), in every forward pass.

    Raises `Unsupported` for a body of two stacks.
    """
    if any(getattr(getattr(module, "config", None), "is_encoder_decoder", False) for module in model.modules()):
        raise Unsupported(
            "a body of two stacks embeds a text twice, for its encoder and its decoder, so that no one place changes "
            "what it reads"
        )
    with _removed_afterwards(
        word_embeddings(model).register_forward_hook(lambda _module, _inputs, output: change(output))
    ):
        yield


@contextmanager
def last_hidden_changed(
    model: nn.Module, architecture: Architecture, change: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Let `change` replace the output of the last block, (batch, length, hidden), in every forward pass.

    Raises `Unsupported` where layers share that block.
    """
    if architecture.shared:
        raise Unsupported(
            f"{architecture.layers} layers share {architecture.depth} blocks, so that no block is the last alone"
        )

    def replace(_module: nn.Module, _inputs: object, output: Tensor | tuple[Any, ...]) -> Tensor | tuple[Any, ...]:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    *_, last = _part(model, architecture.block_list).children()
    with _removed_afterwards(last.register_forward_hook(replace)):
        yield


@contextmanager
def head_reads(model: nn.Module, rows: Tensor) -> Iterator[None]:
    """Let the head for the next word read these places alone, (batch, length), so that logits are (rows, vocabulary).

    The head of all places, whose outputs few losses read, takes much of the time and most of the memory.
    """
    inside: Any = pretrained_in(model)

    def chosen(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden, *others = inputs
        return (hidden[rows], *others)

    with _removed_afterwards(inside.get_output_embeddings().register_forward_pre_hook(chosen)):
        yield


@contextmanager
def block_inputs_changed(
    model: nn.Module, architecture: Architecture, change: Callable[[Tensor, Tensor], Tensor]
) -> Iterator[None]:
    """Let `change` replace the input of every block, (batch, length, hidden), in every forward pass.

    `change` also gets a mask that is true where there is no padding, (batch, length).
    """
    text: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, options: dict[str, Any]) -> None:
        text[:] = [options["attention_mask"].bool()]

    def replace(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, *others = inputs
        return (change(hidden, text[0]), *others)

    # Hooked on the blocks, since some models project the embeddings before the first block or share one block.
    blocks = _part(model, architecture.block_list).children()
    handles = [block.register_forward_pre_hook(replace) for block in blocks]
    handles.append(model.register_forward_pre_hook(note, with_kwargs=True))
    with _removed_afterwards(*handles):
        yield


def on_embedded(
    model: nn.Module, architecture: Architecture, change: Callable[[Tensor], Tensor | None]
) -> RemovableHandle:
    """Let `change` see, or replace, the embedded tokens with their positions, (batch, length, hidden).

    Where the body sums its tables itself, they are the first block's input.
    """
    if len(architecture.embedded) == 1 or len(architecture.lists) > 1:
        place = _part(model, architecture.embeddings)
        return place.register_forward_hook(lambda _module, _inputs, output: change(output))

    def before(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        changed = change(inputs[0])
        return None if changed is None else (changed, *inputs[1:])

    first, *_ = _part(model, architecture.block_list).children()
    return first.register_forward_pre_hook(before)


@contextmanager
def tokens_hidden(model: nn.Module, architecture: Architecture, hidden: Tensor) -> Iterator[None]:
    """Zero the embeddings of tokens, positions included, and mask attention to them; `hidden` is (batch, length)."""

    def unseen(_module: nn.Module, inputs: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return inputs, {**options, "attention_mask": options["attention_mask"].masked_fill(hidden, 0)}

    handles = [
        on_embedded(model, architecture, lambda embedded: embedded.masked_fill(hidden.unsqueeze(-1), 0.0)),
        model.register_forward_pre_hook(unseen, with_kwargs=True),
    ]
    with _removed_afterwards(*handles):
        yield


@contextmanager
def weights_replaced(parameters: Iterable[nn.Parameter], values: Iterable[Tensor]) -> Iterator[None]:
    """Give each parameter another value, and its own tensor back afterwards, also if the body raises."""
    own = [(parameter, parameter.data) for parameter in parameters]
    try:
        for (parameter, _), value in zip(own, values, strict=True):
            parameter.data = value
        yield
    finally:
        for parameter, data in own:
            parameter.data = data


def mean_of(members: Sequence[Callable[[], Mapping[str, Tensor]]]) -> Mapping[str, Tensor]:
    """The mean of several sets of weights, loaded one after the other so that only two are in memory."""
    first, *others = members
    mean = first()
    for number, load in enumerate(others, start=2):
        other = load()
        mean = {name: weight.lerp(other[name], 1 / number) for name, weight in mean.items()}
    return mean


@contextmanager
def _removed_afterwards(*handles: RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _part(model: nn.Module, place: str) -> nn.Module:
    # Matched at the end of the name, since a wrapper such as peft's adds a prefix.
    named: dict[str, nn.Module] = dict(model.named_modules())
    return next(module for name, module in named.items() if name == place or name.endswith(f".{place}"))
