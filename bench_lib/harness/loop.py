"""The training loop: batches in, hooks called in order, observer runs evaluated at even distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Generic, TypeVar

import torch

from bench_lib.harness.batches import collate, epoch_order
from bench_lib.harness.curve import Curve
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.observers import NOTHING, ObserverRun, Progress
from bench_lib.harness.step import Passes
from bench_lib.harness.updates import Updates
from bench_lib.instruments.timing import UNTIMED_STEPS, Stopwatch, Throughput
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import EvaluatesUnder
from bench_lib.techniques.interface.stack import Stack

T = TypeVar("T")


def _not_selected() -> float:
    raise AssertionError("a score on the dev set is asked for, and the loop was given none")


class Loop:
    """One training, shared by its observer runs; the cost of what went `before` is added to its own.

    Further tasks in `updates.joint` count in tokens and passes.
    """

    def __init__(
        self,
        training: Training,
        stack: Stack,
        features: Sequence[Feature],
        pad_id: int,
        observer_runs: list[ObserverRun],
        before: Progress = NOTHING,
    ) -> None:
        profile = training.profile
        self.training, self.stack, self.features = training, stack, features
        self.pad_id, self.observer_runs = pad_id, observer_runs
        self.curve, self.throughput = Curve(), Throughput()
        self.clock = Stopwatch(training.device)
        self.clock.seconds, self.tokens, self.examples = before.seconds, before.tokens, 0
        read = len(features) if training.epoch_size is None else min(len(features), training.epoch_size)
        training.steps_per_epoch = math.ceil(read / profile.batch_size)
        training.total_steps = profile.epochs * training.steps_per_epoch
        passes = Passes(before.forward_passes, before.backward_passes)
        scaler = torch.amp.GradScaler(training.device.type, enabled=profile.precision == "fp16")
        self.updates = Updates(training, stack, passes, scaler)

    def progress(self) -> Progress:
        """How far the training is; what the observers did beside it is on their own clocks."""
        seconds = self.clock.seconds - sum(run.own.seconds for run in self.observer_runs)
        steps, passes, reported = self.training.step, self.updates.passes, dict(self.training.reported)
        return Progress(steps, self.tokens, self.examples, passes.forward, passes.backward, seconds, reported)

    def run(self, evaluate: Callable[[], Scored], on_dev: Callable[[], float] = _not_selected) -> None:
        """Train, evaluating the observer runs on the way; ends early when every observer run has stopped.

        `on_dev` gives the primary metric on the dev set, for observer runs that select on it.

        Without anything to train on, the observer runs are evaluated once, as the model is before training.
        """
        batches = self._batches()
        self.training.model.train()
        try:
            self._estimate()
            for end in self._intervals():
                self._train_interval(batches, end)
                if end in self._evaluation_steps():
                    self._evaluate(evaluate, on_dev, last=end == self.training.total_steps)
                if self.observer_runs and not any(run.running for run in self.observer_runs):
                    break
        except Exception:
            # The curve is kept up to the failure; a loss that was not finite is the cause of whatever failed after it.
            self.curve.flush()
            raise

    def _evaluation_steps(self) -> list[int]:
        total, count = self.training.total_steps, self.training.profile.evaluations
        return sorted({math.ceil(total * i / count) for i in range(1, count + 1)})

    def _intervals(self) -> list[int]:
        """The last steps of the intervals that are timed as a whole."""
        return sorted({min(UNTIMED_STEPS, self.training.total_steps), *self._evaluation_steps()})

    def _batches(self) -> Iterator[list[list[Feature]]]:
        """The micro-batches of each step, epoch by epoch."""
        for epoch in range(self.training.profile.epochs):
            yield from self._epoch(epoch)

    def _epoch(self, *names: str | int) -> Iterator[list[list[Feature]]]:
        profile = self.training.profile
        lengths, order = [len(f) for f in self.features], self.training.generator("order", *names)
        micro = profile.batch_size // profile.accumulate
        batches = epoch_order(lengths, profile.batch_size, profile.bucket, order)
        for indices in batches[: self.training.steps_per_epoch]:
            yield [[self.features[i] for i in indices[at : at + micro]] for at in range(0, len(indices), micro)]

    def _estimate(self) -> None:
        """Let the techniques that ask for it pass over the training set, if any, once before the first update."""
        if self.features:
            with self.clock.running():
                self.updates.estimate(self._estimation_batches)

    def _estimation_batches(self) -> Iterator[Batch]:
        for micro_batches in self._epoch("survey"):
            yield from map(self._collated, micro_batches)

    def _collated(self, features: Sequence[Feature]) -> Batch:
        return collate(features, self.training.format, self.pad_id, self.training.device)

    def _train_interval(self, batches: Iterator[list[list[Feature]]], end: int) -> None:
        before = self.progress()
        with self.clock.running():
            while self.training.step < end:
                self._step(next(batches))
            self.curve.flush()
        if before.steps:
            now = self.progress()
            self.throughput.add(
                now.seconds - before.seconds, now.tokens - before.tokens, now.examples - before.examples
            )

    def _step(self, micro_batches: list[list[Feature]]) -> None:
        """One optimiser step; hooks in the order of the stack, the norms taken before anything clips."""
        training, updates = self.training, self.updates
        updates.optimization.start_step()
        batches = [self._collated(micro) for micro in micro_batches]
        self._count(batches)
        loss = updates.backward(batches)
        norms = updates.settle()
        rate = updates.optimization.learning_rate
        updates.apply(norms)
        for run in self.observer_runs:
            run.after_update(training)
        updates.end()
        self.curve.add(loss, rate, norms)
        if not norms.usable:
            self.curve.flush()
            updates.gradients.check(training.step)

    def _count(self, batches: list[Batch]) -> None:
        """Count what was read; what a technique repeats is counted as passes and not as tokens."""
        joined = [batch for task in self.updates.joint for batch in task.micro_batches(len(batches))]
        self.tokens += sum(batch.tokens for batch in (*batches, *joined))
        self.examples += sum(len(batch.targets) for batch in batches)

    def _evaluate(self, evaluate: Callable[[], Scored], on_dev: Callable[[], float], last: bool) -> None:
        with ExitStack() as contexts:
            for hook in self.stack.having(EvaluatesUnder):
                contexts.enter_context(hook.evaluate_under(self.training))
            device = self.training.device
            shared, shared_dev = _Once(evaluate, device), _Once(on_dev, device)
            for run in filter(lambda t: t.due(last), self.observer_runs):
                selects = run.observers.selects_on_dev
                if run.alters_weights:
                    own = (lambda: replace(evaluate(), dev=on_dev())) if selects else evaluate
                    scored = run.under(self.training, own)
                else:
                    scored = shared.charged_to(run)
                    scored = replace(scored, dev=shared_dev.charged_to(run)) if selects else scored
                if scored is not None:
                    run.add(scored, self.progress())


class _Once(Generic[T]):
    """A call that is made once, and charged to every observer run that reads its result."""

    def __init__(self, call: Callable[[], T], device: torch.device) -> None:
        self.call, self.watch = call, Stopwatch(device)
        self.results: list[T] = []

    def charged_to(self, run: ObserverRun) -> T:
        if not self.results:
            with self.watch.running():
                self.results.append(self.call())
        run.evaluating.seconds += self.watch.seconds
        return self.results[0]
