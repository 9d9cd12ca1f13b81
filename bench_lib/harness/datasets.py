"""A task's data for the loop: sampled, tokenised once for each model and length, and cached for all runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
from bench_lib.tasks.transforms.sampling import choose, choose_by_content, choose_per_class
from bench_lib.techniques.interface.hooks import Prompts
from bench_lib.techniques.interface.stack import Stack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN = Stack(())
EVALUATION_SEED = 0
"""All runs are evaluated on the same examples; the profile decides which, not the seed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The evaluation set: examples, their features, and the constant baseline; for written answers a tokenizer."""

    examples: tuple[Example, ...]
    features: tuple[Feature, ...]
    constant_baseline: float
    tokenizer: PreTrainedTokenizerBase | None = None


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
    chat_template: bool = False
    answer_tokens: int = 64

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
        half = torch_half(self.format).under(self.chat_template, self.answer_tokens)
        return tuple(half.encode(examples, self.tokenizer(), self.max_length, self.stride))

    def evaluation(self, examples: tuple[Example, ...], baseline: float) -> Evaluation:
        """These examples to be evaluated on."""
        tokenizer = self.tokenizer() if self.format.writes_text else None
        return Evaluation(examples, self.encode(examples), baseline, tokenizer)


def data_key(data: Data, model: Ref, profile: Profile, stack: Stack = PLAIN) -> DataKey:
    """The key of a task's data under a profile and a stack."""
    prompts = next(iter(stack.having(Prompts)), None)
    written = profile.chat_template, profile.answer_tokens
    return DataKey(data, model, profile.max_length, profile.stride, prompts, *written)


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


@functools.lru_cache(maxsize=8)
def unread_examples(data: Data, trained: Subset) -> tuple[Example, ...]:
    """The training examples that a run on this subset never sees, each text once and none of the evaluation split."""
    seen = {example.inputs for examples in (train_examples(data, trained), data.evaluation) for example in examples}
    left: dict[tuple[str, ...], Example] = {}
    for example in data.train:
        if example.inputs not in seen:
            left.setdefault(example.inputs, example)
    return tuple(left.values())


@functools.lru_cache(maxsize=8)
def dev_examples(data: Data, trained: Subset, size: int) -> tuple[Example, ...]:
    """The dev set of a run on this subset: up to `size` unread training examples, stratified by their classes.

    Which ones follows from their texts alone. At most half of the unread examples, rounded up, so that a technique that
    reads them unlabelled finds some too; `Unsupported` where there is none.
    """
    left = unread_examples(data, trained)
    if not left:
        raise Unsupported(
            f"{data.task.name} has no training example left for a dev set: all are trained on; lower train_examples"
        )
    return tuple(left[i] for i in choose_by_content(left, data.task.labels, min(size, math.ceil(len(left) / 2))))


@functools.lru_cache(maxsize=8)
def dev_set(key: DataKey, trained: Subset, size: int) -> Evaluation:
    """The dev set in the form of an evaluation set."""
    chosen = dev_examples(key.data, trained, size)
    return key.evaluation(chosen, constant_baseline(key.task, chosen))


def unlabelled_pool(data: Data, trained: Subset, dev: int) -> list[Example]:
    """The training examples that neither a run on this subset nor its dev set of this size holds."""
    left = unread_examples(data, trained)
    held_out = {example.inputs for example in dev_examples(data, trained, dev)} if left else set[tuple[str, ...]]()
    return [example for example in left if example.inputs not in held_out]


@functools.lru_cache(maxsize=8)
def train_features(key: DataKey, subset: Subset) -> tuple[Feature, ...]:
    """The training features of a run without augmentation."""
    return key.encode(train_examples(key.data, subset))


@functools.lru_cache(maxsize=8)
def evaluation_set(key: DataKey, size: int | None) -> Evaluation:
    """The evaluation set of a profile, the same for all seeds and techniques."""
    chosen = evaluation_examples(key.data, size)
    return key.evaluation(chosen, evaluation_room(key.data, size).constant_baseline)


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
