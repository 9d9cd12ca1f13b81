"""What is run: plain frozen values, and the identity of a run."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench_lib.core.canonical import canonical_json as canonical_json
from bench_lib.core.canonical import digest as digest
from bench_lib.core.canonical import ids_by_seed
from bench_lib.core.errors import check_name, require
from bench_lib.core.seeds import STREAMS, check_seed

PROTOCOL = 1
"""Version of the harness's arithmetic: raised when the same settings would train differently."""

Scalar = str | int | float | bool | None
SCHEDULES = ("linear", "cosine", "constant_with_warmup")
PRECISIONS = ("fp32", "bf16", "fp16")
CHOICES = {
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "scored_on": ("evaluation", "dev"),
    "frozen_weights": ("fp32", "bf16"),
    "attention": ("eager", "sdpa"),
}
"""What fields of a profile may be that are one of a few words."""
LATER = (
    *("per_class", "label_noise", "perturb", "attack", "keep_head", "dev_examples", "scored_on"),
    *("chat_template", "answer_tokens", "also", "forgetting", "gradient_checkpointing"),
    *("trim_vocabulary", "frozen_weights", "attention"),
)
"""Fields of a profile that runs were stored without: at their defaults they are no part of a run's identity."""


WHOLE = (
    *("epochs", "batch_size", "accumulate", "eval_batch_size", "bucket", "evaluations", "threads", "dev_examples"),
    "answer_tokens",
)
"""Fields that are whole numbers above 0."""

MOST = {"epochs": 10_000, "threads": 1_024, "evaluations": 10_000}
"""The largest values of fields that lists are made of, or processes; those of other whole numbers are `MOST_OF_ALL`."""

MOST_OF_ALL = 1_000_000_000


@dataclass(frozen=True)
class Profile:
    """The budget of a run; every field is part of the run's identity.

    The optimiser's defaults are the strong baseline of Mosbach et al. 2021, "On the Stability of Fine-tuning BERT".
    Sizes of None mean all there is; `batch_size` is the effective batch, which `accumulate` splits; `warmup` is a
    share of the steps; `dropout` of None keeps the model's own rates; `bucket` batches are sorted by length together.
    `per_class` examples of each class, in place of `train_examples`, are trained on; 0 of either is the score before
    training. `label_noise` is the share of their labels that are wrong. The model that counts is evaluated once more
    with a share of `perturb` of the words changed, and under an attack of norm `attack` on its word embeddings, each
    unless it is 0. `keep_head` trains on the head of a checkpoint that was fine-tuned before, which is drawn anew
    otherwise. What selects a checkpoint or a setting sees the dev set, up to `dev_examples` of the training examples
    that are not trained on, and at most half of these. A run that is `scored_on` it instead of on the evaluation set is
    a trial for tuning. Where answers are written, `answer_tokens` of `max_length` are theirs, and the prompt may be a
    message in the model's `chat_template`. `also` names robustness sets, as in `imdb_contrast+imdb_cad`, on which the
    model that counts is evaluated as well. `forgetting` is the general text, `generated` or of the data's `folder`,
    on which its perplexity is measured, before the training and after it. `gradient_checkpointing` computes the model's
    blocks a second time in the backward pass, in place of keeping what they computed. `trim_vocabulary` trains without
    the word embeddings of tokens that no text of the run has; techniques that need them all are declined.
    `frozen_weights` of bf16 holds the matrices that never learn in it, which bf16 as `precision` rounds to it at every
    use. `attention` is computed step by step, eager, or by torch's fused kernels, sdpa.
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
    per_class: int | None = None
    label_noise: float = 0.0
    perturb: float = 0.0
    attack: float = 0.0
    keep_head: bool = False
    dev_examples: int = 400
    scored_on: str = "evaluation"
    chat_template: bool = False
    answer_tokens: int = 64
    also: str = ""
    forgetting: str = ""
    gradient_checkpointing: bool = False
    trim_vocabulary: bool = False
    frozen_weights: str = "fp32"
    attention: str = "eager"

    def __post_init__(self) -> None:
        for name in WHOLE:
            value, most = getattr(self, name), MOST.get(name, MOST_OF_ALL)
            require(1 <= value <= most, f"profile field {name}", value, f"1 or more, up to {most:,}")
        for name, least in (("train_examples", 0), ("per_class", 0), ("eval_examples", 1)):
            value, allowed = getattr(self, name), f"{least} or more, up to {MOST_OF_ALL:,}, or None for all"
            require(value is None or least <= value <= MOST_OF_ALL, f"profile field {name}", value, allowed)
        alone = self.per_class is None or self.train_examples is None
        require(alone, "profile field per_class", self.per_class, "None where train_examples says how many in all")
        whole = self.batch_size % self.accumulate == 0
        require(whole, "profile field accumulate", self.accumulate, "a divisor of batch_size")
        allowed = f"16 or more, up to {MOST_OF_ALL:,}"
        require(16 <= self.max_length <= MOST_OF_ALL, "profile field max_length", self.max_length, allowed)
        require(0 <= self.stride < self.max_length, "profile field stride", self.stride, "0 or more, below max_length")
        for name in ("label_noise", "perturb"):
            require(0 <= getattr(self, name) <= 1, f"profile field {name}", getattr(self, name), "a share, 0 to 1")
        for name in ("learning_rate", "weight_decay", "eps", "attack"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"profile field {name}", value, "0 or more, finite")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            require(0 <= value < 1, f"profile field {name}", value, "0 up to, not including, 1")
        rate = self.dropout
        require(rate is None or 0 <= rate < 1, "profile field dropout", rate, "0 up to, not including, 1; None to keep")
        require(0 <= self.warmup <= 1, "profile field warmup", self.warmup, "a share of the steps, 0 to 1")
        require(self.clip_norm > 0, "profile field clip_norm", self.clip_norm, "above 0; inf for no clipping")
        for name, choices in CHOICES.items():
            require(getattr(self, name) in choices, f"profile field {name}", getattr(self, name), ", ".join(choices))
        held, why = self.frozen_weights, "fp32 unless precision is bf16, which rounds weights at every use"
        require(held == "fp32" or self.precision == "bf16", "profile field frozen_weights", held, why)

    @property
    def trains(self) -> bool:
        """Whether there is anything to train on; where there is not, the score is the one before training."""
        return 0 not in (self.train_examples, self.per_class)

    def settings(self) -> dict[str, Any]:
        """The fields by name, without those that came later and stand at their defaults."""
        left_out = {f.name for f in dataclasses.fields(self) if f.name in LATER and getattr(self, f.name) == f.default}
        return {name: value for name, value in vars(self).items() if name not in left_out}


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


KNOWN = "known"
"""Name of data of which only the fingerprint is known: runs on them have their ids, and cannot be executed."""


@dataclass(frozen=True)
class RunSpec:
    """One run: task x stack of techniques x model x profile x seed.

    `frozen` streams draw from a seed of their own, the same for every run: by default all seeds of a cell train on
    the same examples, so that spread measures training and not sampling. `keep_weights` asks for the trained weights
    with the record, which changes nothing in it. `corrections` name what was wrong in runs of earlier versions that
    would otherwise have the same identity, each with the version that is right. `task_path` is the file or folder of a
    user's own task, which the fingerprint and the version stand for by value. `also` are the robustness sets and the
    general text of the profile with their fingerprints.
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
    corrections: tuple[tuple[str, str], ...] = ()
    task_path: str = ""
    also: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for stream, seed in self.frozen:
            require(stream in STREAMS, "frozen stream", stream, ", ".join(STREAMS))
            check_seed(f"seed of the frozen stream {stream}", seed)
        check_seed("seed", self.seed)
        if self.profile_name:
            check_name("name of the profile", self.profile_name)

    def base_seed(self, stream: str) -> int:
        """The seed that a stream of this run derives from."""
        return dict(self.frozen).get(stream, self.seed)

    def identity(self) -> dict[str, Any]:
        """All that decides the result, by value: no profile name, no path, no machine, no date."""
        identity = {
            "protocol": PROTOCOL,
            "task": [self.task, self.task_version],
            "data": self.data.fingerprint,
            "stack": [[t.name, dict(t.params), t.version] for t in self.stack],
            "model": self.model.fingerprint,
            "profile": self.profile.settings(),
            "seed": self.seed,
            "frozen": dict(self.frozen),
        }
        # Absent where there are none, so that runs without them keep the identity that they have always had.
        later = {"corrections": dict(self.corrections), "also": dict(self.also)}
        return identity | {name: value for name, value in later.items() if value}

    def run_id(self) -> str:
        return self._ids.run(self.seed)

    def training_id(self) -> str:
        """The id of `training()`, which runs that share a training have in common."""
        return self._ids.training(self.seed)

    def run_ids(self, seeds: Iterable[int]) -> list[str]:
        """The ids of the runs of the same cell with these seeds."""
        return [self._ids.run(seed) for seed in seeds]

    def training_ids(self, seeds: Iterable[int]) -> list[str]:
        """The ids of the trainings of these runs."""
        return [self._ids.training(seed) for seed in seeds]

    def training(self) -> RunSpec:
        """The run without its observers: what is really trained."""
        return dataclasses.replace(self, stack=tuple(t for t in self.stack if not t.observer))

    def at(self, seed: int) -> RunSpec:
        """The run of the same cell with another seed; what ids have in common over seeds is found once."""
        check_seed("seed", seed)
        return self._with("seed", seed)

    def keeping_weights(self, kept: bool) -> RunSpec:
        """The same run, with its weights kept or not."""
        return self if self.keep_weights == kept else self._with("keep_weights", kept)

    def _with(self, name: str, value: object) -> RunSpec:
        # A plan has a million of these: nothing else is checked again, and the canonical form is shared.
        own = {**vars(self), "_ids": self._ids, name: value}
        other = object.__new__(type(self))
        for field, one in own.items():
            object.__setattr__(other, field, one)
        return other

    @functools.cached_property
    def _ids(self) -> _Ids:
        return _Ids(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_ids"}

    def pools(self) -> int:
        """The seeds, this one and those that follow it, whose runs are pooled into this record; 0 for a run itself."""
        return max((t.pools for t in self.stack), default=0)

    def technique(self) -> str:
        """The stack as text, such as `llrd+reinit`, or `llrd+reinit[tuned@16]` where the last label is in brackets."""
        return "+".join(t.label or t.name for t in self.stack).replace("+[", "[")


class _Ids:
    """The ids of the runs of a cell, and of their trainings, by seed."""

    def __init__(self, spec: RunSpec) -> None:
        self.run = ids_by_seed(spec.identity())
        self._spec = spec

    @functools.cached_property
    def training(self) -> Callable[[int], str]:
        observed = any(technique.observer for technique in self._spec.stack)
        return ids_by_seed(self._spec.training().identity()) if observed else self.run
