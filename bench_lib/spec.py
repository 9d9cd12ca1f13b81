"""What is run and what came of it: plain frozen values, canonical JSON, and the identity of a run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from bench_lib.errors import require
from bench_lib.seeds import STREAMS

PROTOCOL = 1
"""Version of the harness's arithmetic: raised when the same settings would train differently."""

Scalar = str | int | float | bool | None
SCHEDULES = ("linear", "cosine", "constant_with_warmup")
PRECISIONS = ("fp32", "bf16", "fp16")


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


@dataclass(frozen=True)
class Profile:
    """The budget of a run; every field is part of the run's identity.

    The optimiser's defaults are the strong baseline of Mosbach et al. 2021, "On the Stability of Fine-tuning BERT".
    Sizes of None mean all there is; `batch_size` is the effective batch, which `accumulate` splits; `warmup` is a
    share of the steps; `dropout` of None keeps the model's own rates; `bucket` batches are sorted by length together.
    """

    train_examples: int | None = None
    eval_examples: int | None = None
    epochs: int = 3
    batch_size: int = 16
    accumulate: int = 1
    eval_batch_size: int = 64
    bucket: int = 8
    max_length: int = 128
    stride: int = 64
    learning_rate: float = 2e-5
    schedule: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6
    clip_norm: float = 1.0
    dropout: float | None = None
    precision: str = "fp32"
    evaluations: int = 3
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "eval_batch_size", "bucket", "evaluations", "threads"):
            require(getattr(self, name) >= 1, f"profile field {name}", getattr(self, name), "1 or more")
        for name in ("train_examples", "eval_examples"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"profile field {name}", value, "1 or more, or None for all")
        require(
            self.batch_size % self.accumulate == 0,
            "profile field accumulate",
            self.accumulate,
            "a divisor of batch_size",
        )
        require(self.max_length >= 16, "profile field max_length", self.max_length, "16 or more")
        require(0 <= self.stride < self.max_length, "profile field stride", self.stride, "0 or more, below max_length")
        for name in ("weight_decay", "eps"):
            require(getattr(self, name) >= 0, f"profile field {name}", getattr(self, name), "0 or more")
        for name in ("beta1", "beta2"):
            require(
                0 <= getattr(self, name) < 1, f"profile field {name}", getattr(self, name), "0 up to, not including, 1"
            )
        rate = self.dropout
        require(rate is None or 0 <= rate < 1, "profile field dropout", rate, "0 up to, not including, 1; None to keep")
        require(self.learning_rate >= 0, "profile field learning_rate", self.learning_rate, "0 or more")
        require(0 <= self.warmup <= 1, "profile field warmup", self.warmup, "a share of the steps, 0 to 1")
        require(self.clip_norm > 0, "profile field clip_norm", self.clip_norm, "above 0; inf for no clipping")
        require(self.schedule in SCHEDULES, "profile field schedule", self.schedule, ", ".join(SCHEDULES))
        require(self.precision in PRECISIONS, "profile field precision", self.precision, ", ".join(PRECISIONS))


@dataclass(frozen=True)
class TechniqueSpec:
    """A technique by value: its name, every parameter, the version it declares, and the seeds that it pools, if any.

    `source` is the user's file that it is from, as `PATH.py:Class`; its version is then a hash of that file.
    """

    name: str
    params: tuple[tuple[str, Scalar], ...] = ()
    version: str = "1"
    observer: bool = False
    label: str = ""
    pools: int = 0
    source: str = ""


@dataclass(frozen=True)
class Ref:
    """Something loaded by name, and what it turned out to be: a data set's fingerprint, a model's revision."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class RunSpec:
    """One run: task x stack of techniques x model x profile x seed.

    `frozen` streams draw from a seed of their own, the same for every run: by default all seeds of a cell train on
    the same examples, so that spread measures training and not sampling. `keep_weights` asks for the trained weights
    with the record, which changes nothing in it.
    """

    task: str
    task_version: str
    data: Ref
    stack: tuple[TechniqueSpec, ...]
    model: Ref
    profile: Profile
    seed: int
    profile_name: str = ""
    frozen: tuple[tuple[str, int], ...] = (("subset", 0),)
    keep_weights: bool = False

    def __post_init__(self) -> None:
        for stream, _ in self.frozen:
            require(stream in STREAMS, "frozen stream", stream, ", ".join(STREAMS))

    def base_seed(self, stream: str) -> int:
        """The seed that a stream of this run derives from."""
        return dict(self.frozen).get(stream, self.seed)

    def identity(self) -> dict[str, Any]:
        """All that decides the result, by value: no profile name, no path, no machine, no date."""
        return {
            "protocol": PROTOCOL,
            "task": [self.task, self.task_version],
            "data": self.data.fingerprint,
            "stack": [[t.name, dict(t.params), t.version] for t in self.stack],
            "model": self.model.fingerprint,
            "profile": dataclasses.asdict(self.profile),
            "seed": self.seed,
            "frozen": dict(self.frozen),
        }

    def run_id(self) -> str:
        return digest(self.identity())

    def training(self) -> RunSpec:
        """The run without its observers: what is really trained."""
        return dataclasses.replace(self, stack=tuple(t for t in self.stack if not t.observer))

    def pools(self) -> int:
        """The seeds, this one and those that follow it, whose runs are pooled into this record; 0 for a run itself."""
        return max((t.pools for t in self.stack), default=0)

    def technique(self) -> str:
        """The stack as text, such as `llrd+reinit`."""
        return "+".join(t.label or t.name for t in self.stack)


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
    what they had when they failed; what is None or empty is not known. The curve has one entry an optimiser step, the
    gradient's norm before clipping: of all parameters, of the first and of the last block. `grad_norm_max` is its
    largest finite value; `clipped_steps` counts the steps whose gradient was clipped, `nonfinite_steps` those skipped
    as not finite. `drift` is, for the embeddings and each block, the norm of the difference from the pre-trained
    weights over their norm. It is of the weights that were evaluated last, which `weights` are by name, in fp32, where
    techniques pool them.
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
    eval_step: tuple[int, ...] = ()
    eval_score: tuple[float, ...] = ()
    setup_seconds: float = 0.0
    train_seconds: float = 0.0
    eval_seconds: float = 0.0
    tokens_per_second: float | None = None
    examples_per_second: float | None = None
    peak_memory_bytes: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    predictions: Predictions | None = field(default=None, compare=False, repr=False)
    weights: Mapping[str, np.ndarray] | None = field(default=None, compare=False, repr=False)

    def result(self) -> dict[str, Any]:
        """The part that the spec decides: every field but timings, memory, attempts and provenance."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in CIRCUMSTANCES}


TIMINGS = {"setup_seconds", "train_seconds", "eval_seconds", "tokens_per_second", "examples_per_second"}
CIRCUMSTANCES = frozenset(
    TIMINGS | {"attempts", "profile", "peak_memory_bytes", "provenance", "predictions", "weights"}
)
"""Fields of a record that may differ between two runs of the same spec."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces, in which infinities and NaN are strings."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:20]


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
