"""The training loop: batches in, hooks called in order, tracks evaluated at even distances."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from bench_lib.harness.batches import Batch, collate, epoch_order
from bench_lib.harness.curve import Curve
from bench_lib.harness.encode import Feature
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.optim import build_optimizer, build_schedule
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.harness.track import Progress, Track
from bench_lib.instruments.timing import UNTIMED_STEPS, Stopwatch, Throughput
from bench_lib.techniques.base import AfterBackward, AfterUpdate, EvaluatesUnder, Finishes, RunsBackward
from bench_lib.techniques.stack import Stack
from bench_lib.techniques.training import Training


class Loop:
    """One training, shared by its tracks."""

    def __init__(
        self, training: Training, stack: Stack, features: Sequence[Feature], pad_id: int, tracks: list[Track]
    ) -> None:
        profile = training.profile
        self.training, self.stack, self.features, self.pad_id, self.tracks = training, stack, features, pad_id, tracks
        self.curve, self.passes, self.throughput = Curve(), Passes(), Throughput()
        self.clock = Stopwatch(training.device)
        self.tokens = self.examples = 0
        self.scaler = torch.amp.GradScaler(training.device.type, enabled=profile.precision == "fp16")
        training.total_steps = profile.epochs * math.ceil(len(features) / profile.batch_size)
        training.optimizer = self.optimizer = build_optimizer(training, stack)
        self.schedule = build_schedule(self.optimizer, profile, training.total_steps)
        self.parameters = list(training.trainable().values())

    def progress(self) -> Progress:
        """How far the training is; what the observers did beside it is on their own clocks."""
        seconds = self.clock.seconds - sum(track.own.seconds for track in self.tracks)
        steps, passes = self.training.step, self.passes
        return Progress(steps, self.tokens, self.examples, passes.forward, passes.backward, seconds)

    def run(self, evaluate: Callable[[], Scored]) -> None:
        """Train, evaluating the tracks on the way; ends early when every track has stopped."""
        batches = self._batches()
        self.training.model.train()
        try:
            for end in self._stretches():
                self._stretch(batches, end)
                if end in self._evaluation_steps():
                    self._evaluate(evaluate)
                if not any(track.running for track in self.tracks):
                    break
        except Exception:
            # The curve is kept up to the failure; a loss that was not finite is the cause of whatever failed after it.
            self.curve.flush()
            raise
        finally:
            for hook in [*self.stack.having(Finishes), *(h for t in self.tracks for h in t.observers.having(Finishes))]:
                hook.finish(self.training)

    def _evaluation_steps(self) -> list[int]:
        total, count = self.training.total_steps, self.training.profile.evaluations
        return sorted({math.ceil(total * i / count) for i in range(1, count + 1)})

    def _stretches(self) -> list[int]:
        """The last steps of the stretches that are timed as a whole."""
        return sorted({min(UNTIMED_STEPS, self.training.total_steps), *self._evaluation_steps()})

    def _batches(self) -> Iterator[list[list[Feature]]]:
        """The micro-batches of each step, epoch by epoch."""
        profile = self.training.profile
        lengths = [len(f) for f in self.features]
        micro = profile.batch_size // profile.accumulate
        for epoch in range(profile.epochs):
            for indices in epoch_order(
                lengths, profile.batch_size, profile.bucket, self.training.generator("order", epoch)
            ):
                yield [[self.features[i] for i in indices[at : at + micro]] for at in range(0, len(indices), micro)]

    def _stretch(self, batches: Iterator[list[list[Feature]]], end: int) -> None:
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
        """One optimiser step; hooks in the order of the stack, the norm taken before anything clips."""
        training = self.training
        loss = self._backward([collate(m, training.kind, self.pad_id, training.device) for m in micro_batches])
        self.scaler.unscale_(self.optimizer)
        norm = self._clip()
        rate = self.optimizer.param_groups[-1]["lr"]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for hook in self.stack.having(AfterUpdate):
            hook.after_update(training)
        for track in self.tracks:
            track.after_update(training)
        self._move_schedule()
        self.optimizer.zero_grad(set_to_none=True)
        training.step += 1
        self.curve.add(loss, rate, norm)

    def _move_schedule(self) -> None:
        if self.training.step:
            self.schedule.step()
            return
        with warnings.catch_warnings():
            # Where fp16 overflows at the first step, its update is skipped, and torch suspects a wrong order of calls.
            warnings.filterwarnings("ignore", r"Detected call of .lr_scheduler\.step")
            self.schedule.step()

    def _backward(self, batches: list[Batch]) -> Tensor:
        runners = self.stack.having(RunsBackward)
        counted = sum(batch.counted for batch in batches)
        losses = []
        for number, batch in enumerate(batches):
            share = batch.counted / counted
            step = MicroStep(self.training, batch, number, share, self.passes, self.scaler)
            losses.append((runners[0].backward(step) if runners else _plain_backward(step)) * share)
            self.tokens += batch.tokens
            self.examples += len(batch.targets)
        return torch.stack(losses).sum()

    def _clip(self) -> Tensor:
        """Clip the gradient's norm as the profile says; the norm before that, and before any technique's change."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = before = get_total_norm(gradients)
        hooks = self.stack.having(AfterBackward)
        for hook in hooks:
            hook.after_backward(self.training)
        if hooks:
            norm = get_total_norm(gradients)
        if math.isfinite(self.training.profile.clip_norm):
            clip_grads_with_norm_(self.parameters, self.training.profile.clip_norm, norm)
        return before

    def _evaluate(self, evaluate: Callable[[], Scored]) -> None:
        with ExitStack() as contexts:
            for hook in self.stack.having(EvaluatesUnder):
                contexts.enter_context(hook.evaluate_under(self.training))
            shared, watch = None, Stopwatch(self.training.device)
            for track in filter(lambda t: t.running, self.tracks):
                if track.alters_weights:
                    scored = track.under(self.training, evaluate)
                else:
                    if shared is None:
                        with watch.running():
                            shared = evaluate()
                    scored = shared
                    track.evaluating.seconds += watch.seconds
                track.add(scored, self.progress())


def _plain_backward(step: MicroStep) -> Tensor:
    loss = step.loss(step.forward())
    step.backward(loss)
    return loss.detach()
