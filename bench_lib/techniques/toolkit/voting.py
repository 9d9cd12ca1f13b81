"""Votes: the most common prediction of several models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench_lib.core.record import Predictions


def majority(predictions: Sequence[Predictions]) -> Predictions:
    """The most common class of each row, the first of ties.

    Logits are the logarithms of the shares of votes, with one extra vote spread over all classes so that none is 0.
    """
    classes = predictions[0].values.shape[-1]
    votes = sum(np.eye(classes)[p.values.argmax(-1)] for p in predictions)  # (rows, classes)
    shares = (votes + 1 / classes) / (len(predictions) + 1)
    return Predictions(np.log(shares).astype(np.float32), predictions[0].lengths)


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
