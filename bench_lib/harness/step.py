"""One micro-batch: forward pass under autocast with its own dropout masks, loss in fp32, scaled backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_lib.core.errors import Unsupported
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch
from bench_lib.harness.precision import autocast
from bench_lib.instruments.determinism import seed_generators
from bench_lib.models.interventions import on_embedded
from bench_lib.techniques.interface.context import Output, Training


@dataclass
class Passes:
    """Forward and backward passes of a run, over micro-batches."""

    forward: int = 0
    backward: int = 0


def plain_loss(output: Output) -> Tensor:
    """Mean cross-entropy over the rows, and over start and end of spans; of numbers the mean squared error."""
    pairs = zip(output.logits, output.targets, strict=True)
    if output.numbers:
        return torch.stack([F.mse_loss(logits[:, 0], targets) for logits, targets in pairs]).mean()
    return torch.stack([F.cross_entropy(logits, targets) for logits, targets in pairs]).mean()


@dataclass(eq=False)
class MicroStep:
    """A micro-batch of the current step: `share` is its part of the batch's targets, `number` its place in it.

    Where the batch is read with several sets of dropout masks, `masks` is the number of the set.
    """

    training: Training
    batch: Batch
    number: int
    share: float
    passes: Passes
    scaler: torch.amp.GradScaler
    criterion: Callable[[Output], Tensor] = plain_loss
    masks: int = 0

    @property
    def real_tokens(self) -> Tensor:
        return self.batch.real_tokens

    @property
    def places(self) -> Tensor:
        return self.batch.places

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        # Masks depend on the place in the run and not on earlier draws, so that a technique that draws more numbers
        # does not change the masks of later steps.
        further = (self.masks,) if self.masks else ()
        seed = self.training.seed("dropout", self.training.step, self.number, repeat, *further)
        seed_generators(seed, self.training.device)
        if full_precision and self.training.held:
            raise Unsupported("no pass in fp32 through weights that are held in 16 bits; set frozen_weights to fp32")
        self.passes.forward += 1
        captured: list[Tensor] = []
        half = torch_half(self.training.format)
        listening = hidden_states(self.training, captured) if hidden else nullcontext()
        with listening, autocast(self.training, full_precision):
            raw = half.forward(self.training.model, self.batch)
        return replace(half.output(raw, self.batch), hidden=tuple(captured))

    def loss(self, output: Output) -> Tensor:
        return self.criterion(output)

    def backward(self, loss: Tensor) -> None:
        self.passes.backward += 1
        scaled: Tensor = self.scaler.scale(loss * self.share)
        scaled.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped


@contextmanager
def hidden_states(training: Training, found: list[Tensor]) -> Iterator[None]:
    """Collect the outputs of the embeddings and of every block, each (batch, length, hidden), in the forward passes.

    Not by transformers' `output_hidden_states`, whose hooks stay on the model for good.
    """

    def collect(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    # Matched at the end of the name, since a wrapper such as peft's adds a prefix.
    place = training.architecture.block_list
    blocks = next(m for n, m in training.model.named_modules() if n == place or n.endswith(f".{place}"))
    handles = [on_embedded(training.model, training.architecture, found.append)]
    handles += [block.register_forward_hook(collect) for block in blocks.children()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
