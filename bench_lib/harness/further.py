"""Scores on robustness sets, measured beside the score and never trained on."""

from __future__ import annotations

import functools

import numpy as np
import torch

from bench_lib.core.record import Predictions
from bench_lib.core.seeds import derive
from bench_lib.harness.datasets import EVALUATION_SEED, DataKey, Evaluation
from bench_lib.harness.evaluate import predict, together
from bench_lib.harness.precision import autocast
from bench_lib.tasks.further import FurtherData, Item
from bench_lib.tasks.transforms.sampling import choose
from bench_lib.techniques.interface.context import Training


def further_scores(training: Training, key: DataKey, pad_id: int) -> dict[str, float]:
    """The scores on each set of the data, as `SET.SCORE`, on up to `eval_examples` groups of each stratum."""
    found: dict[str, float] = {}
    for further in key.data.further:
        items, evaluation = further_evaluation(key, further, training.profile.eval_examples)
        predictions = _predicted(training, key, evaluation, pad_id)
        answers = key.format.answers(evaluation.examples, predictions)
        scores = further.set.scores(key.format, items, answers, predictions.values)
        found |= {f"{further.set.name}.{name}": score for name, score in scores.items()}
    return found


@functools.lru_cache(maxsize=8)
def further_evaluation(key: DataKey, further: FurtherData, size: int | None) -> tuple[tuple[Item, ...], Evaluation]:
    """The items of a profile's size, the same for all seeds and techniques, in the form of an evaluation set."""
    groups: dict[str, dict[str, None]] = {}
    for item in further.items:
        groups.setdefault(item.stratum, {})[item.group] = None
    chosen: set[tuple[str, str]] = set()
    for stratum, names in groups.items():
        generator = np.random.default_rng(derive(EVALUATION_SEED, "subset", further.set.name, stratum))
        ordered = list(names)
        chosen |= {(stratum, ordered[i]) for i in choose(len(ordered), size, generator)}
    items = tuple(item for item in further.items if (item.stratum, item.group) in chosen)
    examples = tuple(item.example for item in items)
    return items, Evaluation(examples, key.encode(examples), 0.0)


def _predicted(training: Training, key: DataKey, evaluation: Evaluation, pad_id: int) -> Predictions:
    def plain() -> Predictions:
        with torch.inference_mode(), autocast(training):
            return predict(training, key.task, evaluation, pad_id)

    return together(training, plain)
