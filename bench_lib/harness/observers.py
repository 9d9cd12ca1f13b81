"""An observer run: one record in the making, for the training itself or for observers that ride on it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from bench_lib.core.errors import BadData, Unavailable, Unsupported
from bench_lib.harness.drift import drift
from bench_lib.harness.efficiency import deployed, footprint
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.formats.features import Batch
from bench_lib.instruments.timing import Stopwatch
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import AfterUpdate, Compresses, EvaluatesUnder, Selects
from bench_lib.techniques.interface.stack import Stack


@dataclass(frozen=True)
class Progress:
    """Progress of a training: its steps, its cost, and the numbers that techniques reported.

    `seconds` exclude the observers' own time.
    """

    steps: int
    tokens: int
    examples: int
    forward_passes: int
    backward_passes: int
    seconds: float
    reported: Mapping[str, float] = field(default_factory=dict)


NOTHING = Progress(0, 0, 0, 0, 0, 0.0)


@dataclass(eq=False)
class ObserverRun:
    """The evaluations of one record and its own cost beside the training that it shares.

    `stopped` is how far the training was when the observer run stopped, None while it goes on; `selected` is the
    evaluation of the selected checkpoint. `inputs` gives batches of a size for timing; `failed` is the error of an
    observer that compresses, or the reason of one that declines. `dev_scores` has an entry an evaluation if some
    observer selects on the dev set.
    """

    observers: Stack
    own: Stopwatch
    evaluating: Stopwatch
    inputs: Callable[[int], Batch]
    steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    dev_scores: list[float] = field(default_factory=list)
    selected: Scored | None = None
    stopped: Progress | None = None
    failed: Exception | None = None

    @property
    def running(self) -> bool:
        return self.stopped is None and self.failed is None

    @property
    def alters_weights(self) -> bool:
        """Whether it evaluates other weights than the training's, and so cannot share the result."""
        return bool(self.observers.having(EvaluatesUnder) or self.observers.having(Compresses))

    def due(self, last: bool) -> bool:
        """Whether the observer run takes part in an evaluation.

        An evaluation of its own costs a pass over the evaluation set, so it gets only the last, unless it selects one.
        """
        return self.running and (last or not self.alters_weights or bool(self.observers.having(Selects)))

    def after_update(self, training: Training) -> None:
        """Let the observers see an update, on their own clock."""
        hooks = self.observers.having(AfterUpdate)
        if hooks and self.running:
            with self.own.running():
                for hook in hooks:
                    hook.after_update(training)

    def under(self, training: Training, evaluate: Callable[[], Scored]) -> Scored | None:
        """Evaluate under the observers' weights, compressed where one of them does so; None if that failed."""
        with ExitStack() as contexts:
            with self.evaluating.running():
                for hook in self.observers.having(EvaluatesUnder):
                    try:
                        contexts.enter_context(hook.evaluate_under(training))
                    except Unsupported as error:  # by this observer only
                        self.failed = error
                        return None
                compressors = self.observers.having(Compresses)
                if not compressors:
                    return evaluate()
            try:
                return self._compressed(compressors[0], training, evaluate)
            except (BadData, Unavailable):
                raise
            except Exception as error:  # neither the training nor its other observer runs fail with it
                # Its frames hold the compressed copy, which would stay in memory.
                traceback.clear_frames(error.__traceback__)
                self.failed = error
                return None

    def _compressed(self, compressor: Compresses, training: Training, evaluate: Callable[[], Scored]) -> Scored:
        moved = drift(training)
        with ExitStack() as contexts:
            with self.evaluating.running():
                trained = contexts.enter_context(deployed(training, compressor))
                scored = evaluate()
            return replace(scored, drift=moved, footprint=footprint(training, trained, self.inputs))

    def add(self, scored: Scored, progress: Progress) -> None:
        """Add an evaluation; the observers may select an earlier one, or stop."""
        self.steps.append(progress.steps)
        self.scores.append(scored.primary)
        if scored.dev is not None:
            self.dev_scores.append(scored.dev)
        choosers = [(t, self.dev_scores if on_dev else self.scores) for t, on_dev in self.observers.selecting()]
        if all(chooser.select(scores) == len(scores) - 1 for chooser, scores in choosers):
            self.selected = scored
        if any(chooser.stop(scores) for chooser, scores in choosers):
            self.stopped = progress
