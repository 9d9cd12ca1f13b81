"""A track: one record in the making, for the training itself or for observers that ride on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench_lib.harness.evaluate import Scored
from bench_lib.instruments.timing import Stopwatch
from bench_lib.techniques.hooks import AfterUpdate, EvaluatesUnder, Selects
from bench_lib.techniques.stack import Stack
from bench_lib.techniques.training import Training


@dataclass(frozen=True)
class Progress:
    """How far a training has come, and what that took; `seconds` without the observers' own time."""

    steps: int
    tokens: int
    examples: int
    forward_passes: int
    backward_passes: int
    seconds: float


@dataclass(eq=False)
class Track:
    """The evaluations of one record and its own cost beside the training that it shares.

    `stopped` is how far the training was when the track stopped, None while it goes on; `kept` is the evaluation that
    counts.
    """

    observers: Stack
    own: Stopwatch
    evaluating: Stopwatch
    steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    kept: Scored | None = None
    stopped: Progress | None = None

    @property
    def running(self) -> bool:
        return self.stopped is None

    @property
    def alters_weights(self) -> bool:
        """Whether evaluation is under other weights than the training's, and so cannot share its result."""
        return bool(self.observers.having(EvaluatesUnder))

    def due(self, last: bool) -> bool:
        """Whether the track takes part in an evaluation.

        One of its own costs a pass over the evaluation set, so it gets the last only, unless it chooses among several.
        """
        return self.running and (last or not self.alters_weights or bool(self.observers.having(Selects)))

    def after_update(self, training: Training) -> None:
        """Let the observers see an update, on their own clock."""
        hooks = self.observers.having(AfterUpdate)
        if hooks and self.running:
            with self.own.running():
                for hook in hooks:
                    hook.after_update(training)

    def under(self, training: Training, evaluate: Callable[[], Scored]) -> Scored:
        """Evaluate under the observers' weights."""
        with ExitStack() as contexts, self.evaluating.running():
            for hook in self.observers.having(EvaluatesUnder):
                contexts.enter_context(hook.evaluate_under(training))
            return evaluate()

    def add(self, scored: Scored, progress: Progress) -> None:
        """Add an evaluation; the observers may keep an earlier one, or stop."""
        self.steps.append(progress.steps)
        self.scores.append(next(iter(scored.metrics.values())))
        choosers = self.observers.having(Selects)
        if all(chooser.select(self.scores) == len(self.scores) - 1 for chooser in choosers):
            self.kept = scored
        if any(chooser.stop(self.scores) for chooser in choosers):
            self.stopped = progress
