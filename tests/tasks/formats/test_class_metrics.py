from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BenchError
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.class_metrics import (
    in_scope_accuracy,
    macro_f1,
    out_of_scope_recall,
    relation_f1,
    relations,
)

RELATIONS = TASKS.get("sem_eval_2010_task_8").labels
INTENTS = ("a", "oos", "b")
OTHER = len(RELATIONS) - 1
answers = st.lists(st.tuples(st.integers(0, OTHER), st.integers(0, OTHER)), min_size=1, max_size=40)


def official(predictions: list[int], references: list[int]) -> float:
    """The macro-averaged F1 of the official scorer, with direction: by relation, what is right, proposed and there."""
    names = [label.partition("(")[0] for label in RELATIONS]
    scores = []
    for name in {names[true] for true in references} - {"Other"}:
        pairs = list(zip(predictions, references, strict=True))
        right = sum(guess == true for guess, true in pairs if names[true] == name)
        proposed, there = (sum(names[one] == name for one in side) for side in (predictions, references))
        precision, recall = right / max(proposed, 1), right / there
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return float(np.mean(scores)) if scores else 0.0


@given(answers)
def test_relations_are_scored_as_by_the_official_scorer(pairs: list[tuple[int, int]]) -> None:
    predictions, references = map(list, zip(*pairs, strict=True))
    assert relation_f1(RELATIONS, predictions, references) == pytest.approx(official(predictions, references))


def test_the_wrong_direction_is_wrong_and_other_is_no_relation() -> None:
    assert relation_f1(RELATIONS, [1], [0]) == 0.0
    assert relation_f1(RELATIONS, [0, 1, 1, OTHER], [0, 0, 1, OTHER]) == pytest.approx(2 / 3)  # 2 of 3, either way
    assert relation_f1(RELATIONS, [0, 2, OTHER], [0, OTHER, OTHER]) == 1.0  # Component-Whole is not asked for
    assert relation_f1(RELATIONS, [OTHER], [OTHER]) == 0.0


def test_the_nine_relations_have_two_directions_each() -> None:
    found = relations(RELATIONS)
    assert len(found) == 9
    assert found["Message-Topic"] == [14, 15]
    assert sum(map(len, found.values())) == OTHER


def test_macro_f1_weighs_classes_alike() -> None:
    # F1 of 2/3, 2/3 and 0.
    assert macro_f1("abc", [0, 0, 1, 1, 1], [0, 1, 1, 1, 2]) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert macro_f1("abc", [1, 1], [1, 1]) == 1.0


def test_the_scope_is_scored_on_both_sides() -> None:
    predictions, references = [0, 1, 2, 1, 0], [0, 0, 2, 1, 1]
    assert in_scope_accuracy(INTENTS, predictions, references) == pytest.approx(2 / 3)
    assert out_of_scope_recall(INTENTS, predictions, references) == 0.5
    assert in_scope_accuracy(INTENTS, [1], [1]) == out_of_scope_recall(INTENTS, [0], [0]) == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metrics": ("relation_f1",)},
            r"metric relation_f1 of task sst2 reads relations from labels that end in \(e1,e2\) or \(e2,e1\)",
        ),
        ({"metrics": ("in_scope_accuracy",)}, r"in_scope_accuracy of task sst2 needs the label oos, and there are 2"),
        ({"metrics": ("out_of_scope_recall",)}, "out_of_scope_recall of task sst2 needs the label oos"),
    ],
)
def test_a_metric_needs_its_labels(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        dataclasses.replace(TASKS.get("sst2"), **changes)
