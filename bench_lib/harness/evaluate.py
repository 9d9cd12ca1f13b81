"""Evaluation: predictions of the whole evaluation set, and their score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.batches import by_length, collate
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.drift import drift
from bench_lib.harness.efficiency import Footprint
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.precision import autocast
from bench_lib.harness.writing import written
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.context import Training


@dataclass(frozen=True, eq=False)
class Scored:
    """An evaluation's metrics, the primary one first, and the predictions that they were computed from.

    `drift` is how far the weights had moved, for the embeddings and each block; for a compressed model, before the
    compression, with its efficiency metrics in `footprint`. `robust` and `adversarial` are the primary metric on
    perturbed inputs and under an attack, `dev` that on the dev set, None where not measured. `also` are the scores on
    robustness sets, as `SET.SCORE`.
    """

    metrics: Mapping[str, float]
    predictions: Predictions
    drift: tuple[float, ...] = ()
    footprint: Footprint | None = None
    robust: float | None = None
    adversarial: float | None = None
    dev: float | None = None
    also: Mapping[str, float] = field(default_factory=dict)

    @property
    def primary(self) -> float:
        return next(iter(self.metrics.values()))


Forward = Callable[[Training, Batch], Tensor]
"""What answers are read from: logits, (batch, labels), (batch, 1), (batch, length, labels), or (batch, length, 2) for
starts and ends; of written answers the negative log-likelihood of the references' tokens, (batch, length)."""


def logits_table(training: Training, batch: Batch) -> Tensor:
    """The logits of a plain forward pass."""
    half = torch_half(training.format)
    return half.table(half.forward(training.model, batch), batch)


def evaluate(training: Training, task: Task, evaluation: Evaluation, pad_id: int) -> Scored:
    """Predict and score the evaluation set, without dropout; the model is left in training mode."""

    def plain() -> Predictions:
        with torch.inference_mode(), autocast(training):
            return predict(training, task, evaluation, pad_id)

    return scored(task, evaluation, together(training, plain), drift(training))


def together(training: Training, predictions: Callable[[], Predictions]) -> Predictions:
    """The predictions of the model, or those that its committee combines."""
    committee = training.committee
    if committee is None:
        return predictions()
    found = []
    for member in committee.members:
        # Around autocast, which caches cast weights until it ends.
        with member():
            found.append(predictions())
    return committee.combine(found)


def predict(
    training: Training, task: Task, evaluation: Evaluation, pad_id: int, forward: Forward = logits_table
) -> Predictions:
    """Predictions on the evaluation set by a forward pass without dropout; the model is left in training mode."""
    outputs, half = _outputs(training, evaluation.features, pad_id, forward), torch_half(task.format)
    found = half.decode(evaluation.examples, evaluation.features, outputs, task.labels)
    if not task.format.writes_text:
        return found
    return half.completed(evaluation.examples, found, written(training, evaluation, pad_id, task.writing.stops))


def scored(task: Task, evaluation: Evaluation, predictions: Predictions, moved: tuple[float, ...] = ()) -> Scored:
    """Score predictions of the evaluation set."""
    references = [example.reference for example in evaluation.examples]
    answers = task.format.answers(evaluation.examples, predictions)
    return Scored(score(task, answers, references), predictions, moved)


def _outputs(training: Training, features: Sequence[Feature], pad_id: int, forward: Forward) -> list[np.ndarray]:
    """For each feature the logits that its answer is read from."""
    half = torch_half(training.format)
    outputs: dict[int, np.ndarray] = {}
    size = training.profile.eval_batch_size
    training.model.eval()
    for indices in by_length(features, size):
        batch = collate([features[i] for i in indices], training.format, pad_id, training.device)
        for i, row in zip(indices, forward(training, batch).cpu().numpy(), strict=True):
            outputs[i] = half.read(row, features[i])
    training.model.train()
    return [outputs[i] for i in range(len(features))]
