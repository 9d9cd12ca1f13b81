"""What came of a run: its record, its status and its predictions, as plain frozen values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np


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
    def unstable(self) -> bool:
        """The training itself failed: what the failure rate counts."""
        return self in (Status.COLLAPSED, Status.DIVERGED)

    @property
    def lost(self) -> bool:
        """The machine failed and not the training: another attempt may tell."""
        return self in (Status.OOM, Status.TIMEOUT, Status.CRASHED)

    @property
    def judged(self) -> bool:
        """The run says something about stability: it converged or failed in training."""
        return self.unstable or self is Status.CONVERGED


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the model said on the evaluation set, without the data set's text.

    `values` is (rows, width) float32: logits, or (start, end, score) of answer spans in characters. `lengths` counts
    the rows of each item where an item has several (the words of a sentence), and is None where each item has one.
    """

    values: np.ndarray
    lengths: np.ndarray | None = None


@dataclass(frozen=True)
class RunRecord:
    """One row of the store: what was attempted, how it ended, what it cost, where it ran.

    Seconds are wall-clock; memory is in bytes; `score` and `metrics` are fractions (MCC from -1 to 1). Failed runs keep
    what they had when they failed; what is None or empty is not known. Tokens, passes and seconds are of all that was
    trained; steps, examples and the curve leave out what techniques trained before. The curve has one entry an
    optimiser step, the gradient's norm before clipping: of all parameters, of the first and of the last block.
    `grad_norm_max` is its largest finite value; `clipped_steps` counts the steps whose gradient was clipped,
    `nonfinite_steps` those skipped as not finite. `drift` is, for the embeddings and each block, the norm of the
    difference from the pre-trained weights over their norm. It is of the weights that were evaluated last, which
    `weights` are by name, in fp32, where techniques pool them.

    `robust_score` and `adversarial_score` are the primary metric on inputs with seeded noise and under an attack, where
    the profile asks for them. `saved_bytes` is the size of a file that holds what the run must keep: the parameters it
    trained, or the whole model where it was compressed, whose size before is `uncompressed_bytes` and whose share of
    weights that are 0 is `sparsity`. Latencies are the median seconds of a forward pass over 1 or 32 inputs, of the
    compressed model and of the model before. `reported` is what the techniques say of themselves, by
    `technique.quantity`.
    """

    run_id: str
    training_id: str
    task: str
    technique: str
    model: str
    profile: str
    data_source: str
    seed: int
    spec: str
    status: str
    reason: str = ""
    attempts: int = 1
    metric: str = ""
    score: float | None = None
    trivial_score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    tokens: int = 0
    examples: int = 0
    parameters: int = 0
    trainable_parameters: int = 0
    forward_passes: int = 0
    backward_passes: int = 0
    curve_loss: tuple[float, ...] = ()
    curve_learning_rate: tuple[float, ...] = ()
    curve_grad_norm: tuple[float, ...] = ()
    curve_grad_norm_first: tuple[float, ...] = ()
    curve_grad_norm_last: tuple[float, ...] = ()
    grad_norm_max: float | None = None
    clipped_steps: int | None = None
    nonfinite_steps: int | None = None
    drift: tuple[float, ...] = ()
    robust_score: float | None = None
    adversarial_score: float | None = None
    saved_bytes: int | None = None
    uncompressed_bytes: int | None = None
    sparsity: float | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    eval_step: tuple[int, ...] = ()
    eval_score: tuple[float, ...] = ()
    setup_seconds: float = 0.0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    tokens_per_second: float | None = None
    examples_per_second: float | None = None
    latency_1: float | None = None
    latency_32: float | None = None
    uncompressed_latency_1: float | None = None
    uncompressed_latency_32: float | None = None
    peak_memory_bytes: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    predictions: Predictions | None = field(default=None, compare=False, repr=False)
    weights: Mapping[str, np.ndarray] | None = field(default=None, compare=False, repr=False)

    def result(self) -> dict[str, Any]:
        """The part that the spec decides: every field but timings, memory, attempts and provenance."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in CIRCUMSTANCES}


LATENCIES = ("latency_1", "latency_32", "uncompressed_latency_1", "uncompressed_latency_32")
TIMINGS = {"setup_seconds", "train_seconds", "eval_seconds", "tokens_per_second", "examples_per_second", *LATENCIES}
CIRCUMSTANCES = frozenset(
    TIMINGS | {"attempts", "profile", "model", "peak_memory_bytes", "provenance", "predictions", "weights"}
)
"""Fields of a record that may differ between two runs of the same spec: what a profile or a model is called, too."""
