"""The augmented training examples of a stack, once for each seed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench_lib.core.errors import BadData, Unavailable, Unsupported
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Ref
from bench_lib.harness.datasets import DataKey, Subset, evaluation_set, train_examples
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.models.architecture import word_embeddings
from bench_lib.models.load import load_template, load_tokenizer
from bench_lib.models.translation import load_translator
from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.hooks import Augments
from bench_lib.techniques.interface.training_set import Corpus, Vocabulary


@dataclass(frozen=True)
class Draw:
    """The examples of a run before augmentation, and the seed of augmentation."""

    subset: Subset
    evaluation: int | None
    augment: int


@dataclass(frozen=True, eq=False)
class Augmented:
    """The training examples, their features, and the reported numbers.

    `epoch_size` is the number of features that an epoch reads, where a technique keeps the number of steps.
    """

    examples: tuple[Example, ...]
    features: Sequence[Feature]
    reported: Mapping[str, float]
    epoch_size: int | None = None


@functools.lru_cache(maxsize=8)
def augmented(key: DataKey, draw: Draw, augmenters: tuple[Augments, ...]) -> Augmented:
    """The training examples after all augmenters, in order; without examples nothing is augmented."""
    examples: Sequence[Example] = train_examples(key.data, draw.subset)
    reported: dict[str, float] = {}
    kept: list[Sequence[Example]] = []
    for technique in augmenters if examples else ():
        corpus = Corpus(
            train=examples,
            evaluation=evaluation_set(key, draw.evaluation).examples,
            format=key.format,
            labels=key.task.labels,
            judges_wording=key.task.judges_wording or key.format.writes_text,
            language=key.task.language,
            generator=np.random.default_rng(derive(draw.augment, "augment", technique.name)),
            vocabulary=functools.partial(vocabulary, key.model),
            translator=load_translator,
            reported=reported,
            kept=kept,
        )
        made = _made(technique, corpus)
        examples = torch_half(key.format).readable(made, corpus.train, key.tokenizer(), key.window)
    return Augmented(tuple(examples), key.encode(examples), reported, len(key.encode(kept[0])) if kept else None)


def _made(technique: Augments, corpus: Corpus) -> Sequence[Example]:
    """A technique's examples; `Unsupported` where it lacks what it needs, or returns none."""
    try:
        made = technique.augment(corpus)
    except (BadData, Unavailable) as error:
        raise Unsupported(str(error)) from error
    if not made:
        raise Unsupported(f"{technique.name} leaves none of {len(corpus.train)} training examples")
    return made


@functools.lru_cache(maxsize=1)
def vocabulary(model: Ref) -> Vocabulary:
    """The pieces of a model's tokenizer and their pre-trained input embeddings."""
    weights = word_embeddings(load_template(model, TEXT_CLASSIFICATION, 2).model).state_dict()
    return Vocabulary(load_tokenizer(model).get_vocab(), weights["weight"].numpy())
