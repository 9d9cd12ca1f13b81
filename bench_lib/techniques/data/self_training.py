"""Self-training: pseudo-labels for the unlabelled pool, as further training examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench_lib.core.record import Predictions
from bench_lib.tasks.formats import Example, Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.pretraining import PretrainingStage
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class SelfTraining(
    Technique,
    name="self_training",
    family="data",
    paper="Yarowsky 1995, doi:10.3115/981658.981684; Du et al. 2021, arXiv:2010.02194",
    identity={"ratio": 0.0},
    version="3",  # leaves out the dev set; version 1 left out neither that nor the evaluation set
    space={"threshold": (0.8, 0.9, 0.95)},  # our choice
    no_trimming="it labels and trains on texts that the run does not have",
):
    """A teacher, trained as the run would be, labels the unlabelled pool; confident pseudo-labels join the training.

    train <- train + {(x, argmax p(y | x)) : max p(y | x) >= threshold},  x of the unlabelled pool, p the teacher's

    Yarowsky 1995, in one round; the student, which is the run, starts anew from the pre-trained weights. Source: Du et
    al. 2021, "Self-training Improves Pre-training", as quoted by public notes on the paper. For a tagged sentence, the
    least confident word counts, and cut words are never confident. Threshold 0.9 is our choice, and so is a pool as
    large as the training set (`ratio`), which bounds the cost: a training of the teacher, and at most twice the steps
    for the student. The record says how many texts were asked and added, and which share of the latter is right.
    """

    threshold: float = bounded(0.9, "[0, 1]", "a probability, 0 to 1")
    ratio: float = bounded(1.0, "[0, 1000]", "0 (none is asked) to 1000")

    def declines(self, task_format: Format) -> str | None:
        if task_format.predicts_labels:
            return None
        if task_format.labels_sets:
            return "a set of labels has no one probability to be held against a threshold"
        what = "a number has no" if task_format.predicts_numbers else "an answer's score is no"
        return f"{what} probability to be held against a threshold"

    def pretraining_passes(self, epochs: int) -> tuple[int, int]:
        return (epochs, epochs) if self.ratio else (0, 0)

    def pretrain(self, stage: PretrainingStage) -> None:
        if self.ratio == 0:
            return
        asked = stage.unlabelled(math.ceil(self.ratio * stage.sequences))
        answers = list(answered(asked, stage.pseudo_labels(asked)))
        sure = [(own, answer) for own, (answer, p) in zip(asked, answers, strict=True) if p >= self.threshold]
        stage.add([answer for _, answer in sure])
        report = stage.training.report
        report(self.name, "asked", len(asked))
        report(self.name, "added", len(sure))
        if sure:
            report(self.name, "confirmed", sum(own == answer for own, answer in sure) / len(sure))


def answered(examples: Sequence[Example], predictions: Predictions) -> Iterator[tuple[Example, float]]:
    """Each example with its most likely label in place of its own, and that label's probability, from logits."""
    shifted = predictions.values - predictions.values.max(-1, keepdims=True)
    likely = np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)  # (rows, labels)
    lengths = predictions.lengths if predictions.lengths is not None else np.ones(len(examples), dtype=int)
    parts = np.split(likely, np.cumsum(lengths)[:-1])
    for example, part in zip(examples, parts, strict=True):
        yield example.answered(part.argmax(-1).tolist()), float(part.max(-1).min())
