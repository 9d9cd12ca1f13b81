"""Evaluation: predictions of the whole evaluation set, and their score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.batches import Batch, by_length, collate
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.drift import drift
from bench_lib.harness.efficiency import Footprint
from bench_lib.harness.precision import autocast
from bench_lib.harness.step import logits_of
from bench_lib.harness.tokenize import Feature
from bench_lib.tasks.formats import Kind, SpanExample, TagExample
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.context import Training

LONGEST_ANSWER = 30
"""Tokens that an answer span may have, as in the BERT reference code for SQuAD."""


@dataclass(frozen=True, eq=False)
class Scored:
    """An evaluation's metrics, the primary one first, and the predictions that they were computed from.

    `drift` is how far the evaluated weights had moved by then, for the embeddings and each block; of a compressed model
    it is how far they had before, and `footprint` what that model takes. `robust` and `adversarial` are the primary
    metric on perturbed inputs and under an attack, None where they were not measured.
    """

    metrics: Mapping[str, float]
    predictions: Predictions
    drift: tuple[float, ...] = ()
    footprint: Footprint | None = None
    robust: float | None = None
    adversarial: float | None = None

    @property
    def primary(self) -> float:
        return next(iter(self.metrics.values()))


Forward = Callable[[Training, Batch], Tensor]
"""Logits of a batch: (batch, labels), (batch, length, labels), or (batch, length, 2) for starts and ends."""


def logits_table(training: Training, batch: Batch) -> Tensor:
    """The logits of a plain forward pass."""
    raw = training.model(**batch.inputs)
    parts = logits_of(training.kind, raw, batch.inputs["attention_mask"])
    return parts[0] if len(parts) == 1 else torch.stack(parts, dim=-1)


def evaluate(training: Training, task: Task, evaluation: Evaluation, pad_id: int) -> Scored:
    """Predict and score the evaluation set, without dropout; the model is left in training mode."""

    def plain() -> Predictions:
        with torch.inference_mode(), autocast(training):
            return predict(training, task, evaluation, pad_id)

    return scored(task, evaluation, together(training, plain), drift(training))


def together(training: Training, predictions: Callable[[], Predictions]) -> Predictions:
    """The predictions of the model, or what its committee makes of those of the members."""
    committee = training.committee
    if committee is None:
        return predictions()
    found = []
    for member in committee.members:
        # Around autocast, which keeps the weights that it has cast until it ends.
        with member():
            found.append(predictions())
    return committee.combine(found)


def predict(
    training: Training, task: Task, evaluation: Evaluation, pad_id: int, forward: Forward = logits_table
) -> Predictions:
    """What a forward pass makes of the evaluation set, without dropout; the model is left in training mode."""
    outputs = _outputs(training, evaluation.features, pad_id, forward)
    return DECODERS[task.kind](evaluation, outputs, task.labels)


def scored(task: Task, evaluation: Evaluation, predictions: Predictions, moved: tuple[float, ...] = ()) -> Scored:
    """Score predictions of the evaluation set."""
    references = [example.reference for example in evaluation.examples]
    return Scored(score(task, answers(evaluation, predictions), references), predictions, moved)


def answers(evaluation: Evaluation, predictions: Predictions) -> Sequence[object]:
    """Predictions as they are scored: classes, tags of each word, or answer texts."""
    if predictions.lengths is not None:
        tags = np.split(predictions.values.argmax(-1), np.cumsum(predictions.lengths)[:-1])
        return [sentence.tolist() for sentence in tags]
    spans = [e for e in evaluation.examples if isinstance(e, SpanExample)]
    if not spans:
        return [int(label) for label in predictions.values.argmax(-1)]
    bounds = predictions.values[:, :2].astype(int).tolist()
    return [e.context[start:end] for e, (start, end) in zip(spans, bounds, strict=True)]


def _outputs(training: Training, features: Sequence[Feature], pad_id: int, forward: Forward) -> list[np.ndarray]:
    """For each feature the logits at its spots: (spots, labels), or (spots, 2) for starts and ends."""
    outputs: dict[int, np.ndarray] = {}
    size = training.profile.eval_batch_size
    training.model.eval()
    for indices in by_length(features, size):
        batch = collate([features[i] for i in indices], training.kind, pad_id, training.device)
        for i, row in zip(indices, forward(training, batch).cpu().numpy(), strict=True):
            outputs[i] = row if training.kind is Kind.SEQUENCE else row[features[i].spots]
    training.model.train()
    return [outputs[i] for i in range(len(features))]


def _classes(_evaluation: Evaluation, outputs: list[np.ndarray], _labels: Sequence[str]) -> Predictions:
    return Predictions(np.stack(outputs).astype(np.float32))


def _tags(evaluation: Evaluation, outputs: list[np.ndarray], labels: Sequence[str]) -> Predictions:
    """Logits of every word; a word that was cut off, or has no token, is given `O`."""
    lengths = [len(e.words) for e in evaluation.examples if isinstance(e, TagExample)]
    outside = np.eye(len(labels), dtype=np.float32)[[labels.index("O")]]
    tables = [outside.repeat(length, axis=0) for length in lengths]
    for feature, logits in zip(evaluation.features, outputs, strict=True):
        tables[feature.item][feature.places] = logits
    return Predictions(np.concatenate(tables), np.array(lengths, dtype=np.int32))


def _spans(evaluation: Evaluation, outputs: list[np.ndarray], _labels: Sequence[str]) -> Predictions:
    """The best valid span of each example over all its windows: (start, end, score), start and end in characters."""
    best = np.full((len(evaluation.examples), 3), [0, 0, -np.inf], dtype=np.float32)
    for feature, logits in zip(evaluation.features, outputs, strict=True):
        first, last, value = best_span(logits[:, 0], logits[:, 1])
        if value > best[feature.item, 2]:
            best[feature.item] = (feature.places[first, 0], feature.places[last, 1], value)
    return Predictions(best)


def best_span(starts: np.ndarray, ends: np.ndarray) -> tuple[int, int, float]:
    """The span with the highest sum of start and end logit: start not after end, at most `LONGEST_ANSWER` tokens."""
    sums = starts[:, None] + ends[None, :]  # (spots, spots)
    gap = np.subtract.outer(np.arange(len(ends)), np.arange(len(starts))).T
    sums = np.where((gap >= 0) & (gap < LONGEST_ANSWER), sums, -np.inf)
    first, last = divmod(int(sums.argmax()), len(ends))
    return first, last, float(sums[first, last])


DECODERS = {Kind.SEQUENCE: _classes, Kind.TOKENS: _tags, Kind.SPAN: _spans}
