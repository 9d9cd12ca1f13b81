"""Ensembles of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit, log_softmax, logsumexp

from bench_lib.core.record import Predictions
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Ensemble(
    Technique,
    name="ensemble",
    family="optimisation",
    paper="Hansen & Salamon 1990, doi:10.1109/34.58871",
    identity={"members": 1},
    observer=True,
    trimmable=True,
):
    """Average the probabilities that several seeds give, from their stored predictions and without any training.

    p(y | x) = (1 / members) * sum_i softmax(logits_i(x))_y;  of a set of labels each sigmoid, and numbers themselves

    Hansen & Salamon 1990; Pecher et al. 2024 survey ensembles against the instability of fine-tuning. 5 members are our
    choice; as few as 10 are enough by Hansen & Salamon, as quoted by public notes on the paper, and Pecher et al. are
    not verified. Serving it costs as many forward passes as it has members.
    """

    members: int = bounded(5, "[1, inf]")

    def pools(self) -> int:
        return self.members

    def declines(self, task_format: Format) -> str | None:
        if task_format.predicts_labels or task_format.labels_sets or task_format.predicts_numbers:
            return None
        return "only the best answer is stored, and best answers have no mean"

    def pool(self, predictions: Sequence[Predictions], task_format: Format) -> Predictions:
        if len(predictions) == 1:
            return predictions[0]
        values = np.stack([p.values.astype(np.float64) for p in predictions])  # (members, rows, width)
        if task_format.predicts_numbers:
            mean = values.mean(axis=0)
        elif task_format.labels_sets:
            mean = _log_mean(log_expit(values)) - _log_mean(log_expit(-values))
        else:
            mean = _log_mean(log_softmax(values, axis=-1))
        # Logarithms of the mean probabilities or odds, so that the record holds logits like any other.
        return Predictions(mean.astype(np.float32), predictions[0].lengths)


def _log_mean(logs: np.ndarray) -> np.ndarray:
    """The logarithm of the mean over the members."""
    found: np.ndarray = logsumexp(logs, axis=0) - np.log(len(logs))
    return found
