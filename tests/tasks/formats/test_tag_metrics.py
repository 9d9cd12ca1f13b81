from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, BenchError
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TagExample
from bench_lib.tasks.formats.tag_metrics import conlleval_f1, entity_f1, token_accuracy
from bench_lib.tasks.scoring.constant_baseline import constant_baseline

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
NONE, B_PER, I_PER, B_LOC, I_LOC = range(5)

tags = st.lists(st.integers(0, len(LABELS) - 1), min_size=1, max_size=8)
sentences = st.lists(tags, min_size=1, max_size=4)


def chunks(found: Sequence[int]) -> set[tuple[str, int, int]]:
    """What conlleval says are chunks: (type, start, end).

    One starts at `B-`, and at an `I-` after `O`, after another type, or at the start; it ends before the next start or
    `O`.
    """
    whole, start, kind = set(), 0, ""
    for place, tag in enumerate([*found, NONE]):
        prefix, _, name = LABELS[tag].partition("-")
        if kind and (prefix in ("B", "O") or name != kind):
            whole.add((kind, start, place))
            kind = ""
        if name and (prefix == "B" or not kind):
            start, kind = place, name
    return whole


def f1(guesses: Sequence[Sequence[int]], truths: Sequence[Sequence[int]]) -> float:
    pairs = [(chunks(guess), chunks(truth)) for guess, truth in zip(guesses, truths, strict=True)]
    right = sum(len(guess & truth) for guess, truth in pairs)
    whole = sum(len(guess) + len(truth) for guess, truth in pairs)
    return 2 * right / whole if whole else 0.0


@given(st.data(), sentences)
def test_conlleval_is_by_its_published_rules(data: Any, truths: list[list[int]]) -> None:
    guesses = [data.draw(st.lists(st.integers(0, 4), min_size=len(t), max_size=len(t))) for t in truths]
    assert conlleval_f1(LABELS, guesses, truths) == pytest.approx(f1(guesses, truths), abs=1e-12)


@given(sentences)
def test_of_tags_in_iob2_both_readings_are_the_same(truths: list[list[int]]) -> None:
    strict = [[B_PER if tag == I_PER else B_LOC if tag == I_LOC else tag for tag in tags] for tags in truths]
    for guesses in (strict, [[NONE] * len(tags) for tags in strict]):
        assert conlleval_f1(LABELS, guesses, strict) == entity_f1(LABELS, guesses, strict)


@given(sentences)
def test_the_right_tags_are_accurate_and_no_metric_leaves_its_range(truths: list[list[int]]) -> None:
    assert token_accuracy(LABELS, truths, truths) == 1.0
    shifted = [[(tag + 1) % len(LABELS) for tag in tags] for tags in truths]
    assert token_accuracy(LABELS, shifted, truths) == 0.0
    assert 0.0 <= entity_f1(LABELS, shifted, truths) <= 1.0


def test_an_entity_that_begins_with_i_is_one_to_conlleval_alone() -> None:
    guess, truth = [[I_PER, I_PER, NONE]], [[B_PER, I_PER, NONE]]
    assert entity_f1(LABELS, guess, truth) == 0.0
    assert conlleval_f1(LABELS, guess, truth) == 1.0
    assert conlleval_f1(LABELS, [[B_PER, I_LOC, NONE]], truth) == 0.0
    assert token_accuracy(LABELS, guess, truth) == pytest.approx(2 / 3)


def test_the_constant_baseline_is_no_entity_or_the_most_frequent_tag() -> None:
    examples = [TagExample(("a", "b", "c"), (B_PER, I_PER, NONE)), TagExample(("d",), (NONE,))]
    task = dataclasses.replace(TASKS.get("conll2003"), labels=LABELS, metrics=("token_accuracy",))
    assert constant_baseline(task, examples) == 0.5
    assert constant_baseline(dataclasses.replace(task, metrics=("conlleval_f1", "entity_f1")), examples) == 0.0


def test_metrics_of_entities_need_tags_of_entities() -> None:
    task = dataclasses.replace(TASKS.get("conll2003"), labels=("O", "NOUN"), metrics=("token_accuracy",))
    with pytest.raises(BenchError, match="metric conlleval_f1 of task conll2003 reads entities from tags in IOB2"):
        dataclasses.replace(task, metrics=("conlleval_f1",))
    for metric in (entity_f1, conlleval_f1, token_accuracy):
        with pytest.raises(BadValue, match="number of tags predicted for sentence 0 is 1; allowed: 2"):
            metric(LABELS, [[0]], [[0, 0]])
