"""The hooks: what a technique may do to a fine-tuning run.

A technique is a frozen dataclass whose fields are its published hyper-parameters. It acts by having the methods of the
hook protocols below; the harness looks for the hooks and never for a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from bench_lib.examples import Kind
from bench_lib.spec import Profile, Scalar, TechniqueSpec
from bench_lib.techniques.training import Group, Step, Training

E = TypeVar("E")


@dataclass(frozen=True)
class Technique:
    """What every technique declares.

    `neutral` holds the parameters at which the technique must equal the baseline bit for bit, or None where it has no
    such point. `observer` says that it leaves the trajectory of the training alone, so that it can ride on another's.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    neutral: ClassVar[Mapping[str, Scalar] | None]
    version: ClassVar[str] = "1"
    observer: ClassVar[bool] = False

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch."""
        return (1, 1)

    def declines(self, kind: Kind) -> str | None:
        """Why the technique cannot be used on tasks of this kind, or None."""
        return None

    def spec(self) -> TechniqueSpec:
        """The technique by value, labelled with the parameters that differ from the published ones."""
        params = tuple((f.name, getattr(self, f.name)) for f in fields(self))
        changed = [f":{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return TechniqueSpec(self.name, params, self.version, self.observer, self.name + "".join(changed))


@runtime_checkable
class Configures(Protocol):
    """Changes the settings of the run."""

    def configure(self, profile: Profile) -> Profile:
        """Change the budget's settings."""
        ...


@runtime_checkable
class Augments(Protocol):
    """Changes the training examples."""

    def augment(self, train: Sequence[E], evaluation: Sequence[E], generator: np.random.Generator) -> Sequence[E]:
        """Change the training examples, once per run; the evaluation examples are for comparison only."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """Changes the model before training."""

    def prepare(self, training: Training) -> None:
        """Change the model before the optimiser is built; a wrapped model is assigned to `training.model`."""
        ...


@runtime_checkable
class Groups(Protocol):
    """Changes which parameters share a learning rate and a weight decay."""

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        """Split or change the parameter groups."""
        ...


@runtime_checkable
class BuildsOptimizer(Protocol):
    """Chooses the optimiser."""

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        """Build the optimiser (exclusive)."""
        ...


@runtime_checkable
class RunsBackward(Protocol):
    """Decides what is differentiated."""

    def backward(self, step: Step) -> Tensor:
        """Run forward and backward passes on a micro-batch and return the loss to record (exclusive)."""
        ...


@runtime_checkable
class AfterBackward(Protocol):
    """Changes the gradients."""

    def after_backward(self, training: Training) -> None:
        """Change the gradients of a whole batch, before the harness clips them."""
        ...


@runtime_checkable
class AfterUpdate(Protocol):
    """Follows or changes the weights after each update."""

    def after_update(self, training: Training) -> None:
        """Act after the optimiser's update, at that update's learning rate."""
        ...


@runtime_checkable
class EvaluatesUnder(Protocol):
    """Evaluates other weights than those in training."""

    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        """Hold the model in the state to be evaluated, and restore it to the bit."""
        ...


@runtime_checkable
class Selects(Protocol):
    """Decides when to stop and which checkpoint counts."""

    def stop(self, history: Sequence[float]) -> bool:
        """Whether to stop, given the primary metric at every evaluation so far."""
        ...

    def select(self, history: Sequence[float]) -> int:
        """The evaluation whose checkpoint is kept, as an index."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """Tidies up."""

    def finish(self, training: Training) -> None:
        """Undo what outlives the run, such as hooks on modules; called also when the run fails."""
        ...


EXCLUSIVE: tuple[type, ...] = (BuildsOptimizer, RunsBackward)
OBSERVING: tuple[type, ...] = (AfterUpdate, EvaluatesUnder, Selects, Finishes)
"""Hooks that leave the trajectory alone, the only ones an observer may have."""
TRAINING: tuple[type, ...] = (
    Configures,
    Augments,
    Prepares,
    Groups,
    BuildsOptimizer,
    RunsBackward,
    AfterBackward,
    AfterUpdate,
    EvaluatesUnder,
    Finishes,
)
"""Hooks of a technique that takes part in the training."""
