from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, SpanExample, TagExample, TextExample
from bench_lib.tasks.transforms.sampling import choose, choose_by_content, choose_per_class


@given(n=st.integers(0, 60), size=st.integers(0, 60), seed=st.integers(0, 9))
def test_indices_are_distinct_rising_and_within(n: int, size: int, seed: int) -> None:
    chosen = choose(n, size, np.random.default_rng(seed))
    assert len(chosen) == min(n, size)
    assert list(chosen) == sorted(set(chosen))
    assert set(chosen) <= set(range(n))
    assert all(type(index) is int for index in chosen)


@given(small=st.integers(0, 40), large=st.integers(0, 40), seed=st.integers(0, 9))
def test_a_smaller_subset_lies_within_a_larger_one(small: int, large: int, seed: int) -> None:
    small, large = sorted((small, large))
    assert set(choose(30, small, np.random.default_rng(seed))) <= set(choose(30, large, np.random.default_rng(seed)))


@pytest.mark.parametrize("size", [None, 5, 6])
def test_all_in_order_where_all_are_asked_for(size: int | None) -> None:
    assert choose(5, size, np.random.default_rng(0)) == (0, 1, 2, 3, 4)


def test_the_seed_decides() -> None:
    draws = [choose(1000, 50, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_every_index_has_the_same_chance() -> None:
    generator = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([choose(10, 3, generator) for _ in range(4000)]), minlength=10)
    assert np.abs(counts / 4000 - 0.3).max() < 0.03


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(BadValue, match="size of the subset is -1"):
        choose(5, -1, np.random.default_rng(0))


# ---- so many of each class -------------------------------------------------------------------------------------------

NER = TASKS.get("conll2003").labels


def texts(*labels: int) -> list[Example]:
    return [TextExample(str(i), label) for i, label in enumerate(labels)]


def sentence(*names: str) -> TagExample:
    return TagExample(("w",) * len(names), tuple(map(NER.index, names)))


@given(labels=st.lists(st.integers(0, 2), max_size=40), size=st.integers(0, 5), seed=st.integers(0, 9))
def test_so_many_of_each_class_or_a_reason(labels: list[int], size: int, seed: int) -> None:
    rows, fewest = texts(*labels), min(labels.count(label) for label in range(3))
    if fewest < size:
        with pytest.raises(Unsupported, match=f"{size} training examples of each class are asked for, and "):
            choose_per_class(rows, ("a", "b", "c"), size, np.random.default_rng(seed))
        return
    drawn = choose_per_class(rows, ("a", "b", "c"), size, np.random.default_rng(seed))
    assert [sum(labels[i] == label for i in drawn) for label in range(3)] == [size] * 3
    assert list(drawn) == sorted(set(drawn))
    if size:
        fewer = choose_per_class(rows, ("a", "b", "c"), size - 1, np.random.default_rng(seed))
        assert set(fewer) < set(drawn)


def test_the_seed_decides_which_of_a_class() -> None:
    rows = texts(*[0, 1] * 50)
    draws = [choose_per_class(rows, ("a", "b"), 8, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_rare_types_are_drawn_first_and_count_for_the_common_ones() -> None:
    both, common = sentence("B-PER", "O", "B-MISC", "I-MISC"), sentence("B-PER")
    rows: list[Example] = [common] * 50 + [both, both, sentence("B-LOC"), sentence("B-LOC"), sentence("O")]
    rows += [sentence("B-ORG", "B-ORG")] * 2
    for seed in range(5):
        # Two hold MISC and, with it, PER; two each LOC and ORG; an entity that stands twice counts as one sentence.
        assert choose_per_class(rows, NER, 2, np.random.default_rng(seed)) == (50, 51, 52, 53, 55, 56)
        three = [*rows, sentence("B-MISC"), sentence("B-LOC"), sentence("B-ORG")]
        drawn = choose_per_class(three, NER, 3, np.random.default_rng(seed))
        assert set(drawn) > {50, 51, 52, 53, 55, 56, 57, 58, 59}
        assert len(drawn) == 10
        assert 54 not in drawn


def test_answers_are_one_class() -> None:
    rows: list[Example] = [SpanExample(str(i), "a b", "which?", ("a",), (0,)) for i in range(9)]
    assert len(choose_per_class(rows, (), 4, np.random.default_rng(0))) == 4
    with pytest.raises(Unsupported, match="10 training examples of each class are asked for, and 9 hold 'answers'"):
        choose_per_class(rows, (), 10, np.random.default_rng(0))


# ---- by content ------------------------------------------------------------------------------------------------------


@given(ones=st.integers(1, 40), zeros=st.integers(1, 40), size=st.integers(1, 60), order=st.randoms())
def test_by_content_classes_keep_their_shares_in_any_order(ones: int, zeros: int, size: int, order: Random) -> None:
    labels = ("negative", "positive")
    examples = [TextExample(f"text {i}", int(i < ones)) for i in range(ones + zeros)]
    chosen = [examples[i] for i in choose_by_content(examples, labels, size)]
    assert len(chosen) == min(size, len(examples))
    fair = len(chosen) * ones / len(examples)
    assert abs(sum(example.label for example in chosen) - fair) <= 1
    shuffled = order.sample(examples, len(examples))
    assert {shuffled[i] for i in choose_by_content(shuffled, labels, size)} == set(chosen)
    assert {examples[i] for i in choose_by_content(examples, labels, size - 1)} <= set(chosen)
