"""A task's data for the loop: sampled, tokenised once for each model and length, and cached for all runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile, Ref
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.prompted import encode_prompts
from bench_lib.models.load import load_tokenizer
from bench_lib.tasks.formats import Example, Format
from bench_lib.tasks.formats.base import Room
from bench_lib.tasks.scoring.constant_baseline import constant_baseline, room
from bench_lib.tasks.task import Data, Task
from bench_lib.tasks.transforms.label_noise import mislabelled
from bench_lib.tasks.transforms.sampling import choose, choose_per_class
from bench_lib.techniques.interface.hooks import Prompts
from bench_lib.techniques.interface.stack import Stack

PLAIN = Stack(())
EVALUATION_SEED = 0
"""All runs are evaluated on the same examples; the profile decides which, not the seed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation set: examples, their features, and the constant baseline."""

    examples: tuple[Example, ...]
    features: tuple[Feature, ...]
    constant_baseline: float


@dataclass(frozen=True)
class Subset:
    """Which training examples a run uses, drawn by the subset stream: `size` of all, or `per_class` of each class.

    A share of `label_noise` of them gets a corrupt label, also drawn by the subset stream: runs with the same examples
    have the same labels, whatever the technique.
    """

    size: int | None
    seed: int
    per_class: int | None = None
    label_noise: float = 0.0

    @classmethod
    def of(cls, profile: Profile, seed: int) -> Subset:
        """The subset that a profile asks for."""
        return cls(profile.train_examples, seed, profile.per_class, profile.label_noise)

    def generator(self, *names: str) -> np.random.Generator:
        return np.random.default_rng(derive(self.seed, "subset", *names))


@dataclass(frozen=True)
class DataKey:
    """All that the features of a task's examples depend on, with the technique that prompts, if any."""

    data: Data
    model: Ref
    max_length: int
    stride: int
    prompts: Prompts | None = None

    @property
    def task(self) -> Task:
        return self.data.task

    @property
    def format(self) -> Format:
        return self.task.format

    @property
    def window(self) -> tuple[int, int]:
        """The longest sequence and the stride, in tokens."""
        return self.max_length, self.stride

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(self.model)

    def encode(self, examples: Sequence[Example]) -> tuple[Feature, ...]:
        if not examples:
            return ()
        if self.prompts is not None:
            return tuple(encode_prompts(self.prompts, self.task.name, examples, self.tokenizer(), self.max_length))
        return tuple(torch_half(self.format).encode(examples, self.tokenizer(), self.max_length, self.stride))


def data_key(data: Data, model: Ref, profile: Profile, stack: Stack = PLAIN) -> DataKey:
    """The key of a task's data under a profile and a stack."""
    prompts = next(iter(stack.having(Prompts)), None)
    return DataKey(data, model, profile.max_length, profile.stride, prompts)


@functools.lru_cache(maxsize=8)
def train_examples(data: Data, subset: Subset) -> tuple[Example, ...]:
    """The training examples of a run; `Unsupported` where they cannot be drawn or given corrupt labels."""
    examples, task = data.train, data.task
    generator = subset.generator(task.name)
    if subset.per_class is None:
        drawn = choose(len(examples), subset.size, generator)
    else:
        drawn = choose_per_class(examples, task.labels, subset.per_class, generator)
    chosen = [examples[i] for i in drawn]
    return mislabelled(chosen, subset.label_noise, task.labels, subset.generator(task.name, "label noise"))


def held_out_examples(data: Data, trained: Subset, size: int) -> tuple[Example, ...]:
    """Up to `size` training examples that a run on this subset never sees; `Unsupported` where none is left."""
    left, task = unread_examples(data, trained), data.task.name
    if not left:
        raise Unsupported(f"{task} has no training example left to hold out: every text is trained on")
    return tuple(left[i] for i in choose(len(left), size, trained.generator(task, "held out")))


@functools.lru_cache(maxsize=8)
def unread_examples(data: Data, trained: Subset) -> tuple[Example, ...]:
    """All training examples that a run on this subset never sees."""
    seen = {example.inputs for example in train_examples(data, trained)}
    return tuple(e for e in data.train if e.inputs not in seen)


def held_out_set(key: DataKey, trained: Subset, size: int) -> Evaluation:
    """Held-out training examples in the form of an evaluation set."""
    chosen = held_out_examples(key.data, trained, size)
    return Evaluation(chosen, key.encode(chosen), constant_baseline(key.task, chosen))


@functools.lru_cache(maxsize=8)
def train_features(key: DataKey, subset: Subset) -> tuple[Feature, ...]:
    """The training features of a run without augmentation."""
    return key.encode(train_examples(key.data, subset))


@functools.lru_cache(maxsize=8)
def evaluation_set(key: DataKey, size: int | None) -> Evaluation:
    """The evaluation set of a profile, the same for all seeds and techniques."""
    chosen = evaluation_examples(key.data, size)
    return Evaluation(chosen, key.encode(chosen), evaluation_room(key.data, size).constant_baseline)


@functools.lru_cache(maxsize=32)
def evaluation_examples(data: Data, size: int | None) -> tuple[Example, ...]:
    """The examples of an evaluation set of a profile's size."""
    examples = data.evaluation
    generator = np.random.default_rng(derive(EVALUATION_SEED, "subset", data.task.name, "evaluation"))
    return tuple(examples[i] for i in choose(len(examples), size, generator))


@functools.lru_cache(maxsize=256)
def evaluation_room(data: Data, size: int | None) -> Room:
    """The room of an evaluation set between constant and perfect predictions."""
    return room(data.task, evaluation_examples(data, size))
