"""The hooks: what a technique may do to a fine-tuning run.

Each declares who may have it, and whether only one technique of a stack can; see `roles`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.tasks.formats import Example, Format
from bench_lib.techniques.interface.cloze import Piece
from bench_lib.techniques.interface.context import Group, Output, Phase, Step, Training, Update
from bench_lib.techniques.interface.history import Choice, History
from bench_lib.techniques.interface.pretraining import PretrainingStage
from bench_lib.techniques.interface.roles import DECLARED, Role, hook, hooks_of
from bench_lib.techniques.interface.training_set import Corpus

Weights = Mapping[str, Tensor]


@hook(Role.TRAINING)
@runtime_checkable
class Configures(Protocol):
    """Changes the settings of the run."""

    def configure(self, profile: Profile) -> Profile:
        """Change the budget's settings."""


@hook(Role.TRAINING)
@runtime_checkable
class Augments(Protocol):
    """Changes the training examples, by draws from a stream under its name."""

    name: ClassVar[str]

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        """The training examples in place of `corpus.train`, made once per run; targets must stay right."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class Prompts(Protocol):
    """Asks for the class of a text as a masked word, predicted by the checkpoint's own head for masked words."""

    name: ClassVar[str]

    def prompt(self, task: str, example: Example) -> Sequence[Piece]:
        """The prompt of an example, with one mask, in training and in every evaluation."""

    def label_words(self, task: str) -> Sequence[str]:
        """A word for each label of the task, in order; `Unsupported` for an unknown task."""


@hook(Role.TRAINING)
@runtime_checkable
class Pretrains(Protocol):
    """Trains the body or extends the training set before the training."""

    def pretrain(self, stage: PretrainingStage) -> None:
        """Change the body or the training set that the run starts from, before any technique prepares the model.

        The new head stays as drawn; `training.pretrained` stays as loaded.
        """


@hook(Role.TRAINING)
@runtime_checkable
class Prepares(Protocol):
    """Changes the model before training."""

    def prepare(self, training: Training) -> None:
        """Change the model before the optimiser is built; a wrapped model is assigned to `training.model`."""


@hook(Role.TRAINING)
@runtime_checkable
class Groups(Protocol):
    """Changes which parameters share a learning rate and a weight decay."""

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        """Split or change the parameter groups."""


@hook(Role.TRAINING)
@runtime_checkable
class Estimates(Protocol):
    """Estimates something on the training set before the first update."""

    def estimate(self, training: Training, steps: Iterable[Step]) -> None:
        """Run passes over one epoch of micro-batches, without an update; the gradients are cleared afterwards."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class Phases(Protocol):
    """Decides which parameters train in which phase."""

    def phases(self, training: Training) -> Sequence[Phase]:
        """The phases of the training, the first from step 0 on; none for a usual training."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class BuildsOptimizer(Protocol):
    """Chooses the optimiser."""

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        """Build the optimiser."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class ComputesLoss(Protocol):
    """Replaces the loss."""

    def loss(self, output: Output) -> Tensor:
        """The loss in place of the mean cross-entropy over the rows, or the mean squared error; a scalar in fp32."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class RunsBackward(Protocol):
    """Runs the passes of a micro-batch."""

    def backward(self, step: Step) -> Tensor:
        """Run forward and backward passes on a micro-batch and return the loss to record."""


@hook(Role.TRAINING, exclusive=True)
@runtime_checkable
class RunsUpdate(Protocol):
    """Runs the passes of a whole batch, at weights of its choice."""

    def update(self, update: Update) -> Tensor:
        """Leave the gradients of the whole batch on the parameters and return the loss to record."""


@hook(Role.TRAINING)
@runtime_checkable
class AfterBackward(Protocol):
    """Changes the gradients."""

    def after_backward(self, training: Training) -> None:
        """Change the gradients of a whole batch, before the harness clips them."""


@hook(Role.TRAINING, Role.OBSERVING)
@runtime_checkable
class AfterUpdate(Protocol):
    """Follows or changes the weights after each update."""

    def after_update(self, training: Training) -> None:
        """Act after the optimiser's update, at that update's learning rate."""


@hook(Role.TRAINING, Role.OBSERVING, exclusive=True)
@runtime_checkable
class EvaluatesUnder(Protocol):
    """Evaluates other weights than those in training."""

    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        """Put the model into the state to be evaluated, and restore it to the bit.

        Several states that predict together enter `training.predicting_as`.
        """


@hook(Role.OBSERVING, exclusive=True)
@runtime_checkable
class Compresses(Protocol):
    """Makes the trained model smaller or faster."""

    def compress(self, training: Training) -> nn.Module:
        """A compressed copy of `training.model`, which stays as it is; evaluated and measured in its place.

        Called in evaluation mode, after the last update, or at every evaluation where another observer chooses.
        """


@hook(Role.TRAINING)
@runtime_checkable
class Saves(Protocol):
    """Knows which trained tensors have to be saved."""

    def saved(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors to save, by name, without those that have no effect any more."""


@hook(Role.OBSERVING)
@runtime_checkable
class Selects(Protocol):
    """Decides when to stop and which checkpoint is selected, by scores on the dev set.

    A technique that says so by `selects_on_dev` is given scores on the set that the run reports instead.
    """

    def stop(self, history: Sequence[float]) -> bool:
        """Whether to stop, given the primary metric at every evaluation so far."""

    def select(self, history: Sequence[float]) -> int:
        """The index of the evaluation whose checkpoint is selected."""


@hook(Role.POOLING)
@runtime_checkable
class PoolsPredictions(Protocol):
    """Combines the predictions of several seeds."""

    def pool(self, predictions: Sequence[Predictions], task_format: Format) -> Predictions:
        """Combine the members' predictions on the evaluation set, of equal shape, as the format stores them."""


@hook(Role.POOLING)
@runtime_checkable
class PoolsWeights(Protocol):
    """Combines the weights of several seeds by scores on the dev set, which none was trained on."""

    def pool_weights(self, members: Sequence[Callable[[], Weights]], score: Callable[[Weights], float]) -> Weights:
        """Combine the members' weights, each loaded when called, since not all may fit into memory.

        `score` gives the primary metric of weights on the dev set.
        """


@hook(Role.POOLING)
@runtime_checkable
class MergesWeights(Protocol):
    """Combines the weights of several seeds without scores."""

    def merge_weights(self, members: Sequence[Callable[[], Weights]], pretrained: Weights) -> Weights:
        """Combine the members' weights, each loaded when called; `pretrained` has only loaded weights."""


@hook(Role.POOLING)
@runtime_checkable
class ChoosesRun(Protocol):
    """Selects one of several seeds, and says how far each of them has to be trained."""

    name: ClassVar[str]

    def choose(self, histories: Sequence[History]) -> Choice:
        """Choose among runs in the order of their seeds, including diverged ones."""


HOOKS = tuple(DECLARED)
EXCLUSIVE = tuple(protocol for protocol, declared in DECLARED.items() if declared.exclusive)
"""Hooks that only one technique of a stack can have."""
TRAINING = hooks_of(Role.TRAINING)
"""Hooks of a technique that takes part in the training."""
OBSERVING = hooks_of(Role.OBSERVING)
"""Hooks that leave the trajectory alone, the only ones an observer may have."""
POOLING = hooks_of(Role.POOLING)
"""Hooks of a technique that pools trained seeds, which has one of them and no other."""


@functools.cache
def _members(protocol: type) -> tuple[str, ...]:
    return (*inspect.get_annotations(protocol), *(name for name in vars(protocol) if not name.startswith("_")))


def has(technique: object, protocol: type) -> bool:
    """Whether a technique has a hook; as `isinstance` with a protocol, but faster."""
    return all(getattr(technique, name, None) is not None for name in _members(protocol))
