"""Votes: the most common prediction of several models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench_lib.core.record import Predictions
from bench_lib.tasks.formats import Format

Vote = Callable[[Sequence[Predictions]], Predictions]


def vote_of(task_format: Format) -> Vote:
    """How several models vote on the answers of a format."""
    if task_format.predicts_labels:
        return majority
    if task_format.labels_sets:
        return majority_of_each
    return mean if task_format.predicts_numbers else common_answers


def majority(predictions: Sequence[Predictions]) -> Predictions:
    """The most common class of each row, the first of ties.

    Logits are the logarithms of the shares of votes, with one extra vote spread over all classes so that none is 0.
    """
    classes = predictions[0].values.shape[-1]
    votes = sum(np.eye(classes)[p.values.argmax(-1)] for p in predictions)  # (rows, classes)
    shares = (votes + 1 / classes) / (len(predictions) + 1)
    return Predictions(np.log(shares).astype(np.float32), predictions[0].lengths)


def majority_of_each(predictions: Sequence[Predictions]) -> Predictions:
    """The labels that more than half of the models predict, each by itself.

    Logits are the log odds of the shares of votes, with one extra vote of which half is for the label.
    """
    votes = sum((p.values > 0).astype(np.float64) for p in predictions)  # (texts, labels)
    odds = (votes + 0.5) / (len(predictions) - votes + 0.5)
    return Predictions(np.log(odds).astype(np.float32))


def mean(predictions: Sequence[Predictions]) -> Predictions:
    """The mean number of each text."""
    values = np.mean([p.values.astype(np.float64) for p in predictions], axis=0)  # (texts, 1)
    return Predictions(values.astype(np.float32))


def common_answers(predictions: Sequence[Predictions]) -> Predictions:
    """The most common answer to each text, with its mean score; of ties the one with the highest.

    Answers are rows of numbers, such as a start and an end, with the score last.
    """
    each = np.stack([p.values for p in predictions], axis=1)  # (texts, members, numbers)
    return Predictions(np.stack([_common(answers) for answers in each]))


def _common(answers: np.ndarray) -> np.ndarray:
    same = (answers[:, None, :-1] == answers[None, :, :-1]).all(-1)  # (members, members)
    scores = [answers[agreeing, -1].mean() for agreeing in same]
    best = max(range(len(answers)), key=lambda member: (same[member].sum(), scores[member]))
    return np.array([*answers[best, :-1], scores[best]], dtype=np.float32)
