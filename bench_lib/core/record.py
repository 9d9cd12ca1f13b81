"""The result of a run: its record, its status and its predictions, as plain frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from bench_lib.core.columns import column, columns, nested


class Status(StrEnum):
    """How a run ended."""

    CONVERGED = "converged"
    COLLAPSED = "collapsed"
    DIVERGED = "diverged"
    OOM = "oom"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNSUPPORTED = "unsupported"

    @property
    def failed(self) -> bool:
        """The training itself failed: what the failure rate counts."""
        return self in (Status.COLLAPSED, Status.DIVERGED)

    @property
    def lost_to_infrastructure(self) -> bool:
        """The machine failed and not the training: another attempt may succeed."""
        return self in (Status.OOM, Status.TIMEOUT, Status.CRASHED)

    @property
    def completed(self) -> bool:
        """The run is evidence of stability: it converged or failed in training."""
        return self.failed or self is Status.CONVERGED


@dataclass(frozen=True, eq=False)
class Predictions:
    """The outputs of the model on the evaluation set, without the data set's text.

    `values` is (rows, width) float32: logits, a number, (start, end, score) of answer spans in characters, or the
    numbers of a text that the model wrote. `lengths` counts the rows of each item where an item has several (the words
    of a sentence, the numbers of a text), and is None where each item has one.
    """

    values: np.ndarray
    lengths: np.ndarray | None = None


@dataclass(frozen=True)
class Cost:
    """Computation: tokens and passes of everything that was trained, steps and examples of the training alone."""

    steps: int = 0
    tokens: int = 0
    examples: int = 0
    parameters: int = 0
    trainable_parameters: int = 0
    forward_passes: int = 0
    backward_passes: int = 0


@dataclass(frozen=True)
class TrainingCurve:
    """One entry an optimiser step, without the pre-training stages; norms are the gradient's before clipping.

    `grad_norm` is of all parameters, `grad_norm_first` and `grad_norm_last` of the first and the last block;
    `grad_norm_max` is the largest finite one. Steps with a gradient that was not finite were skipped.
    """

    loss: tuple[float, ...] = column((), name="curve_loss")
    learning_rate: tuple[float, ...] = column((), name="curve_learning_rate")
    grad_norm: tuple[float, ...] = column((), name="curve_grad_norm")
    grad_norm_first: tuple[float, ...] = column((), name="curve_grad_norm_first", since=2)
    grad_norm_last: tuple[float, ...] = column((), name="curve_grad_norm_last", since=2)
    grad_norm_max: float | None = column(None, since=2)
    clipped_steps: int | None = column(None, since=2)
    nonfinite_steps: int | None = column(None, since=2)


@dataclass(frozen=True)
class Robustness:
    """The primary metric on inputs with seeded noise and under an attack, where the profile asks for them."""

    perturbed: float | None = column(None, name="robust_score")
    adversarial: float | None = column(None, name="adversarial_score")


@dataclass(frozen=True)
class ModelSize:
    """The size of the file that the run must keep: the trained parameters, or the whole model if it was compressed.

    Of a compressed model also the size before, and the share of weights that are 0.
    """

    saved_bytes: int | None = None
    uncompressed_bytes: int | None = None
    sparsity: float | None = None


@dataclass(frozen=True)
class Evaluations:
    """The evaluations during training: their steps and their scores in the primary metric.

    `dev_scores` are those on the dev set, where something selects on it.
    """

    steps: tuple[int, ...] = column((), name="eval_step")
    scores: tuple[float, ...] = column((), name="eval_score")
    dev_scores: tuple[float, ...] = column((), name="dev_score", since=5)


@dataclass(frozen=True)
class Latency:
    """Median seconds of a forward pass over 1 or 32 inputs, of the compressed model and of the model before."""

    latency_1: float | None = None
    latency_32: float | None = None
    uncompressed_latency_1: float | None = None
    uncompressed_latency_32: float | None = None


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds, rates, and the peak memory; `train_seconds` are of everything that was trained."""

    setup_seconds: float = 0.0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    tokens_per_second: float | None = None
    examples_per_second: float | None = None
    latency: Latency = column(Latency(), since=3)
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class RunRecord:
    """One row of the store: the run, how it ended, what it cost, where it ran.

    `score`, `metrics` and `constant_baseline`, the score of the best constant, are fractions (MCC from -1 to 1). Failed
    runs keep what they had when they failed; None or empty means unknown. `drift` is, for the embeddings and each
    block, the norm of the difference from the pre-trained weights over their norm, of the weights that were evaluated
    last. `reported` are the techniques' own figures, by `technique.quantity`. `weights` are by name, in fp32, for
    techniques that pool them.
    """

    run_id: str
    training_id: str
    task: str
    technique: str
    model: str = field(metadata={"circumstance": True})
    profile: str = field(metadata={"circumstance": True})
    data_source: str
    seed: int
    spec: str
    status: str
    reason: str = ""
    attempts: int = column(1, circumstance=True)
    metric: str = ""
    score: float | None = None
    constant_baseline: float | None = column(None, name="trivial_score")
    metrics: Mapping[str, float] = column(factory=dict)
    cost: Cost = Cost()
    curve: TrainingCurve = TrainingCurve()
    drift: tuple[float, ...] = column((), since=2)
    robustness: Robustness = column(Robustness(), since=3)
    size: ModelSize = column(ModelSize(), since=3)
    reported: Mapping[str, float] = column(factory=dict, since=3)
    evaluations: Evaluations = Evaluations()
    timing: Timing = column(Timing(), circumstance=True)
    provenance: Mapping[str, str] = column(factory=dict, circumstance=True)
    predictions: Predictions | None = column(None, stored=False)
    weights: Mapping[str, np.ndarray] | None = column(None, stored=False)

    @property
    def external(self) -> bool:
        """Whether another harness made the run, which was imported: its spec then says which."""
        return '"harness":' in self.spec and "harness" in json.loads(self.spec)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunRecord:
        """The record with these values by column, or by field where that is no column; the others are the defaults."""
        return nested(cls, {_PATHS.get(name, (name,)): value for name, value in values.items()})

    def columns(self) -> dict[str, Any]:
        """The record as a row of the store, by column."""
        return {one.name: one.of(self) for one in COLUMNS}

    def changed(self, values: Mapping[str, Any]) -> RunRecord:
        """The record with other values in some columns."""
        unstored = {"predictions": self.predictions, "weights": self.weights}
        return RunRecord.of({**self.columns(), **unstored, **values})

    def result(self) -> dict[str, Any]:
        """The part that the spec decides, by column: all but circumstances such as timings and provenance."""
        return {one.name: one.of(self) for one in COLUMNS if not one.circumstance}


COLUMNS = tuple(columns(RunRecord))
"""The columns of the store's rows, in order."""
_PATHS = {one.name: one.path for one in COLUMNS}
CIRCUMSTANCES = frozenset(one.name for one in COLUMNS if one.circumstance)
"""Columns that may differ between two runs of the same spec; the names of profile and model are among them."""
LATENCIES = tuple(one.name for one in columns(Latency))
