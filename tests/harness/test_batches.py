from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.harness.batches import by_length, collate, epoch_order
from bench_lib.harness.formats.features import IGNORED, Feature
from bench_lib.tasks.formats import (
    FORMATS,
    QUESTION_ANSWERING,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Format,
    TextExample,
)

CPU = torch.device("cpu")
PAD = 7
Featurise = Callable[..., list[Feature]]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=80), st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=200)
def test_an_epoch_holds_every_example_once(lengths: list[int], batch_size: int, pool: int, seed: int) -> None:
    batches = epoch_order(lengths, batch_size, pool, generator(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == math.ceil(len(lengths) / batch_size)
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    assert batches == epoch_order(lengths, batch_size, pool, generator(seed))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 8))
def test_one_pool_over_all_sorts_all(lengths: list[int], batch_size: int) -> None:
    batches = sorted(
        epoch_order(lengths, batch_size, 1000, generator()), key=lambda b: (lengths[b[0]], lengths[b[-1]], -len(b))
    )
    assert [lengths[i] for batch in batches for i in batch] == sorted(lengths)


def test_epochs_have_other_batches_in_another_order() -> None:
    lengths = [5] * 64
    shuffle = generator()
    one, other = (epoch_order(lengths, 8, 2, shuffle) for _ in range(2))
    assert {frozenset(b) for b in one} != {frozenset(b) for b in other}


def test_batches_of_a_pool_do_not_come_shortest_first() -> None:
    lengths = list(range(100))
    firsts = [lengths[batch[0]] for batch in epoch_order(lengths, 10, 10, generator())]
    assert firsts != sorted(firsts)
    assert sorted(firsts) == list(range(0, 100, 10))


def test_equal_lengths_stay_shuffled() -> None:
    batches = epoch_order([3] * 50, 50, 1, generator())
    assert batches[0] != sorted(batches[0])


def test_pools_save_most_of_the_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 400).tolist()

    def padded(pool: int) -> int:
        return sum(len(b) * max(lengths[i] for i in b) for b in epoch_order(lengths, 8, pool, generator()))

    assert padded(8) - sum(lengths) < 0.3 * (padded(1) - sum(lengths))


def test_the_order_comes_from_the_generator_alone() -> None:
    lengths = [4] * 30
    torch.manual_seed(1)
    one = epoch_order(lengths, 4, 2, generator(3))
    torch.manual_seed(2)
    assert epoch_order(lengths, 4, 2, generator(3)) == one
    assert epoch_order(lengths, 4, 2, generator(4)) != one


def test_evaluation_begins_with_the_longest(featurise: Featurise) -> None:
    features = featurise(TEXT_CLASSIFICATION)
    batches = by_length(features, 2)
    order = [i for batch in batches for i in batch]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert sorted(order) == list(range(len(features)))
    assert [len(features[i]) for i in order] == sorted(map(len, features), reverse=True)


def test_padding_stands_on_the_right(featurise: Featurise) -> None:
    features = featurise(TEXT_CLASSIFICATION)
    batch = collate(features, TEXT_CLASSIFICATION, PAD, CPU)
    longest = max(map(len, features))
    for row, feature in enumerate(features):
        n = len(feature)
        assert batch.inputs["input_ids"][row, :n].tolist() == feature.input_ids.tolist()
        assert batch.inputs["input_ids"][row, n:].tolist() == [PAD] * (longest - n)
        assert batch.inputs["attention_mask"][row].tolist() == [1] * n + [0] * (longest - n)
        assert batch.real_tokens[row].tolist() == [*(~feature.special).tolist(), *[False] * (longest - n)]
    assert batch.tokens == sum(map(len, features))


def test_classes_are_targets(featurise: Featurise) -> None:
    batch = collate(featurise(TEXT_CLASSIFICATION), TEXT_CLASSIFICATION, PAD, CPU)
    assert batch.targets.tolist() == [1, 0, 0, 1, 1]
    assert batch.counted == 5


def test_tags_are_targets_and_padding_has_none(featurise: Featurise) -> None:
    features = featurise(TOKEN_CLASSIFICATION)
    batch = collate(features, TOKEN_CLASSIFICATION, PAD, CPU)
    assert batch.targets.shape == batch.inputs["input_ids"].shape
    assert (batch.targets[batch.inputs["attention_mask"] == 0] == IGNORED).all()
    assert batch.counted == 4 + 4 + 2 + 8 + 1 == int((batch.targets != IGNORED).sum())


def test_spans_are_targets(featurise: Featurise) -> None:
    features = featurise(QUESTION_ANSWERING)
    batch = collate(features, QUESTION_ANSWERING, PAD, CPU)
    assert batch.targets.tolist() == [f.targets.tolist() for f in features]
    assert batch.counted == len(features)


def test_token_types_are_padded_where_the_model_has_them(featurise: Featurise) -> None:
    features = featurise(TEXT_CLASSIFICATION, [TextExample("a b", 0, "c"), TextExample("a", 0, "b c d e")])
    types = collate(features, TEXT_CLASSIFICATION, PAD, CPU).inputs["token_type_ids"]
    assert types.tolist() == [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]]


def test_a_model_without_token_types_gets_none(featurise: Featurise) -> None:
    bare = [dataclasses.replace(feature, token_types=None) for feature in featurise(TEXT_CLASSIFICATION)]
    assert collate(bare, TEXT_CLASSIFICATION, PAD, CPU).inputs.keys() == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_a_batch_of_one_needs_no_padding(featurise: Featurise, task_format: Format) -> None:
    batch = collate(featurise(task_format)[:1], task_format, PAD, CPU)
    assert batch.inputs["attention_mask"].all()
