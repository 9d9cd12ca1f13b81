"""A task's data as the loop needs it: chosen, tokenised once for each model and length, and kept for all runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from bench_lib.examples import Example, Kind
from bench_lib.harness.encode import Feature, encode
from bench_lib.models.load import load_tokenizer
from bench_lib.seeds import derive
from bench_lib.spec import Profile, Ref
from bench_lib.tasks import TASKS
from bench_lib.tasks.base import Task
from bench_lib.tasks.sources import load_data
from bench_lib.tasks.subset import choose
from bench_lib.tasks.trivial import trivial_score

EVALUATION_SEED = 0
"""All runs are evaluated on the same examples: which ones is part of the profile, not of the seed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation set: examples, their features, and what a constant predictor reaches on it."""

    examples: tuple[Example, ...]
    features: tuple[Feature, ...]
    trivial: float


@dataclass(frozen=True)
class DataKey:
    """What decides the features of a task's examples."""

    task: str
    data: Ref
    model: Ref
    max_length: int
    stride: int

    @property
    def kind(self) -> Kind:
        return TASKS.get(self.task).kind

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(self.model)

    def encode(self, examples: Sequence[Example]) -> tuple[Feature, ...]:
        return tuple(encode(self.kind, examples, self.tokenizer(), self.max_length, self.stride))


def data_key(task: Task, data: Ref, model: Ref, profile: Profile) -> DataKey:
    """The key of a task's data under a profile."""
    return DataKey(task.name, data, model, profile.max_length, profile.stride)


@functools.lru_cache(maxsize=8)
def train_examples(task: str, source: str, size: int | None, seed: int) -> tuple[Example, ...]:
    """The training examples of a run, drawn by the subset stream."""
    examples = load_data(TASKS.get(task), source).train
    return tuple(examples[i] for i in choose(len(examples), size, np.random.default_rng(derive(seed, "subset", task))))


@functools.lru_cache(maxsize=8)
def train_features(key: DataKey, size: int | None, seed: int) -> tuple[Feature, ...]:
    """The training features of a run whose techniques leave the examples alone."""
    return key.encode(train_examples(key.task, key.data.name, size, seed))


@functools.lru_cache(maxsize=8)
def evaluation_set(key: DataKey, size: int | None) -> Evaluation:
    """The evaluation set of a profile, the same for all seeds and techniques."""
    task = TASKS.get(key.task)
    examples = load_data(task, key.data.name).evaluation
    generator = np.random.default_rng(derive(EVALUATION_SEED, "subset", key.task, "evaluation"))
    chosen = tuple(examples[i] for i in choose(len(examples), size, generator))
    return Evaluation(chosen, key.encode(chosen), trivial_score(task, chosen))
