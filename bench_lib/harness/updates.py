"""The updates of a training: passes, gradients and optimiser, with the hooks of a stack in their order.

Shared by the harness's loop and by loops of a user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench_lib.harness.formats.features import Batch
from bench_lib.harness.gradients import Gradients, Norms
from bench_lib.harness.joint import JointTask
from bench_lib.harness.optim import Optimization
from bench_lib.harness.step import MicroStep, Passes, plain_loss
from bench_lib.techniques.interface.context import Output, Step, Training
from bench_lib.techniques.interface.hooks import AfterUpdate, ComputesLoss, Estimates, RunsBackward, RunsUpdate
from bench_lib.techniques.interface.stack import Stack


@dataclass(eq=False)
class BatchUpdate:
    """The batch of one optimiser step, for techniques that take its gradients more than once."""

    training: Training
    gradients: Callable[[int], Tensor]
    scaler: torch.amp.GradScaler

    @property
    def scale(self) -> float:
        return float(self.scaler.get_scale())

    def backward(self, masks: int = 0) -> Tensor:
        """Gradients of the whole batch in place of any there were; the loss."""
        self.training.model.zero_grad(set_to_none=True)
        return self.gradients(masks)


class Updates:
    """The updates of one training, whose number of steps is known.

    An update is `optimization.start_step`, `backward`, `settle`, `apply` and `end`, in this order.
    `criterion` is the loss of a micro-batch. `joint` are further tasks, of which each batch is joined by one.
    """

    joint: Sequence[JointTask] = ()

    def __init__(self, training: Training, stack: Stack, passes: Passes, scaler: torch.amp.GradScaler) -> None:
        self.training, self.stack, self.passes, self.scaler = training, stack, passes, scaler
        criteria = stack.having(ComputesLoss)
        self.criterion: Callable[[Output], Tensor] = criteria[0].loss if criteria else plain_loss
        self.optimization = Optimization(training, stack)
        self.gradients = Gradients(training, stack)

    def estimate(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Let the techniques that ask for it pass over the training set before the first update."""
        for hook in self.stack.having(Estimates):
            hook.estimate(self.training, self._estimation_steps(batches()))
            self.training.model.zero_grad(set_to_none=True)

    def _estimation_steps(self, batches: Iterable[Batch]) -> Iterator[MicroStep]:
        # Numbered below 0, so that no micro-batch of the training draws the same masks.
        for number, batch in enumerate(batches, start=1):
            yield self._micro_step(batch, -number, 1.0)

    def backward(self, batches: list[Batch]) -> Tensor:
        """The gradients of a batch, and its loss."""
        runners = self.stack.having(RunsUpdate)
        if not runners:
            return self._backward(batches)
        return runners[0].update(BatchUpdate(self.training, lambda masks: self._backward(batches, masks), self.scaler))

    def settle(self) -> Norms:
        """The norms of the gradients, which the techniques may change, and which are clipped."""
        self.scaler.unscale_(self.optimization.optimizer)
        return self.gradients.settle()

    def apply(self, norms: Norms) -> None:
        """The optimiser's step, unless the gradients are not finite."""
        if norms.usable:
            self.scaler.step(self.optimization.optimizer)
            self.after_update()
        self.scaler.update()

    def after_update(self) -> None:
        """Let the techniques follow the optimiser's step."""
        for hook in self.stack.having(AfterUpdate):
            hook.after_update(self.training)

    def end(self) -> None:
        """Move the schedule and the number of the step on, and clear the gradients."""
        self.optimization.end_step()
        self.training.step += 1

    def _micro_step(self, batch: Batch, number: int, share: float) -> MicroStep:
        return MicroStep(self.training, batch, number, share, self.passes, self.scaler, self.criterion)

    def _backward(self, batches: list[Batch], masks: int = 0) -> Tensor:
        runners = self.stack.having(RunsBackward)
        backward = runners[0].backward if runners else _plain_backward
        counted = sum(batch.counted for batch in batches)
        losses = []
        for number, batch in enumerate(batches):
            share = batch.counted / counted
            step = self._micro_step(batch, number, share)
            step.masks = masks
            losses.append(backward(step) * share)
        for task in self.joint:
            self._backward_jointly(task, backward, len(batches), masks)
        return torch.stack(losses).sum()

    def _backward_jointly(self, task: JointTask, backward: Callable[[Step], Tensor], parts: int, masks: int) -> None:
        """Add the gradients of a further task's batch; its loss is no part of the run's curve."""
        batches = task.micro_batches(parts)
        counted = sum(batch.counted for batch in batches)
        for number, batch in enumerate(batches):
            step = self._micro_step(batch, number, task.weight * batch.counted / counted)
            backward(replace(step, training=task.training, masks=masks))


def _plain_backward(step: Step) -> Tensor:
    loss = step.loss(step.forward())
    step.backward(loss)
    return loss.detach()
