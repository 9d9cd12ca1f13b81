"""The live run that hooks act on: a training, its steps, and outputs of forward passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.instruments.determinism import seed_generators
from bench_lib.models.architecture import Architecture
from bench_lib.models.trimmed import Trimmed
from bench_lib.tasks.formats import Format

T = TypeVar("T")
CPU = torch.device("cpu")


@dataclass
class Group:
    """Parameters that share a learning rate and a weight decay."""

    parameters: dict[str, nn.Parameter]
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True)
class Phase:
    """An interval of the training, up to the next phase's first step.

    `trains` tells by name whether a parameter trains; the others stay as they are to the bit. A phase that restarts
    begins with a new optimiser and schedule, at its own learning rate (None for the profile's).
    """

    first_step: int
    trains: Callable[[str], bool]
    restarts: bool = False
    learning_rate: float | None = None


@dataclass(frozen=True, eq=False)
class Committee:
    """States of the model that predict together: evaluation enters each in turn, and `combine` gets their predictions.

    Leaving a state restores the model to the bit. An attack is aimed at each member by itself.
    """

    members: Sequence[Callable[[], AbstractContextManager[None]]]
    combine: Callable[[Sequence[Predictions]], Predictions]


@dataclass(eq=False)
class Training:
    """A run in progress; `pretrained` holds the weights as they were loaded, by name, on the CPU.

    `trained` are the optimiser's parameters, which a phase may freeze. `held` names the parameters that are held in
    bf16, each with its name in `pretrained`, or nothing where it had changed before. `epoch_size` is the number of
    training sequences that an epoch reads, a new sample each time; None for all. `committee` predicts in the model's
    place. `trimmed` are the word embeddings that the model, and with it `pretrained`, lacks.
    """

    model: nn.Module
    architecture: Architecture
    format: Format
    profile: Profile
    pretrained: Mapping[str, Tensor]
    seed: Callable[..., int]
    device: torch.device = CPU
    total_steps: int = 0
    steps_per_epoch: int = 0
    epoch_size: int | None = None
    step: int = 0
    trained: dict[str, nn.Parameter] | None = None
    held: dict[str, str] = field(default_factory=dict)
    optimizer: torch.optim.Optimizer | None = None
    memory: dict[int, tuple[object, object]] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)
    committee: Committee | None = None
    trimmed: Trimmed | None = None

    def keep(self, owner: object, make: Callable[[], T]) -> T:
        """The state of one technique in this run, created at the first call."""
        # By `id`, since equal observers of several stacks may share a training. The owner is stored with its state, so
        # that no other object gets its id.
        if id(owner) not in self.memory:
            self.memory[id(owner)] = (owner, make())
        return cast(T, self.memory[id(owner)][1])

    def report(self, technique: str, quantity: str, value: float) -> None:
        """Note a number in the record, such as a rank that was reached."""
        self.reported[f"{technique}.{quantity}"] = float(value)

    def generator(self, stream: str, *names: str | int) -> torch.Generator:
        """A CPU generator of one of the run's seed streams."""
        return torch.Generator().manual_seed(self.seed(stream, *names))

    @contextmanager
    def seeded(self, stream: str, *names: str | int) -> Iterator[None]:
        """Seed torch's global generators from a stream of this run, and restore them afterwards."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            seed_generators(self.seed(stream, *names), self.device)
            yield

    @contextmanager
    def predicting_as(self, committee: Committee | None) -> Iterator[None]:
        """Predict by a committee; by the model alone with None."""
        outside, self.committee = self.committee, committee
        try:
            yield
        finally:
            self.committee = outside

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that this run trains, fixed once the optimiser is built."""
        if self.trained is not None:
            return self.trained
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def exact(self, name: str, parameter: Tensor) -> Tensor:
        """A parameter in fp32: where it is held in bf16 as it was loaded, the loaded one, on the CPU."""
        loaded = self.held.get(name)
        return self.pretrained[loaded] if loaded else parameter.detach().float()

    def learning_rates(self) -> dict[int, float]:
        """The learning rate of the current step, by the `id` of the parameter."""
        assert self.optimizer is not None, "learning rates exist once the optimiser is built"
        return {id(p): float(group["lr"]) for group in self.optimizer.param_groups for p in group["params"]}


def with_gradients(training: Training) -> dict[str, tuple[nn.Parameter, Tensor]]:
    """Each trained parameter that has a gradient, with that gradient, by name; frozen parameters have none."""
    return {name: (p, p.grad) for name, p in training.trainable().items() if p.grad is not None}


@dataclass(frozen=True, eq=False)
class Output:
    """The output of a forward pass, for rows with a target; answer spans have two pairs, start and end.

    A set of labels has a row for each label of the task, which is absent, class 0, or present, class 1. Where the
    targets are `numbers`, logits, (rows, 1), are the predicted ones. Logits are in fp32. `hidden` holds the output of
    the embeddings and of each block, and is empty unless asked for; `places` marks the tokens of the rows: for spans
    and whole texts the first token, in a causal model the last, or the mask of a prompt.
    """

    logits: tuple[Tensor, ...]  # each (rows, classes)
    targets: tuple[Tensor, ...]  # each (rows,)
    places: Tensor  # (batch, length), bool
    hidden: tuple[Tensor, ...] = ()  # each (batch, length, hidden)
    numbers: bool = False

    def features(self) -> Tensor:
        """The last hidden states of the rows, (rows, hidden), in fp32."""
        return self.hidden[-1][self.places].float()


class Step(Protocol):
    """One micro-batch, for techniques that run the backward pass; `number` is its index in the batch."""

    training: Training
    number: int

    @property
    def real_tokens(self) -> Tensor:
        """True at tokens that are neither padding nor special, (batch, length)."""
        ...

    @property
    def places(self) -> Tensor:
        """True at the token that stands for each sequence, (batch, length)."""
        ...

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        """Run the model; equal `repeat` draws equal dropout masks, `full_precision` is fp32 in any profile."""
        ...

    def loss(self, output: Output) -> Tensor:
        """Mean cross-entropy over the rows, of numbers the mean squared error, or the stack's loss in its place."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients, scaled to the micro-batch's share of the batch."""
        ...


class Update(Protocol):
    """One whole batch, for techniques that take its gradients more than once."""

    training: Training

    @property
    def scale(self) -> float:
        """The loss scale of fp16; 1 in other precisions."""
        ...

    def backward(self, masks: int = 0) -> Tensor:
        """Replace the gradients by those of the whole batch and return the loss; `masks` is as `repeat` of a step."""
        ...
