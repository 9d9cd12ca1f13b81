from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench_lib.core.record import Predictions
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.formats.question_answering import LONGEST_ANSWER, best_span
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import (
    QUESTION_ANSWERING,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Example,
    Format,
    SpanExample,
    TagExample,
)
from bench_lib.tasks.scoring.metrics import score

LOGITS = st.floats(-20, 20, width=32)


# ---- the best span ---------------------------------------------------------------------------------------------------


def brute_force(starts: np.ndarray, ends: np.ndarray) -> float:
    return max(
        float(np.float32(starts[i]) + np.float32(ends[j]))
        for i in range(len(starts))
        for j in range(i, min(i + LONGEST_ANSWER, len(ends)))
    )


@given(st.data(), st.integers(1, 70))
@settings(max_examples=150)
def test_the_best_span_is_the_best_of_all(data: st.DataObject, n: int) -> None:
    starts, ends = (data.draw(arrays.arrays(np.float32, n, elements=LOGITS)) for _ in range(2))
    first, last, value = best_span(starts, ends)
    assert 0 <= first <= last < n
    assert last - first < LONGEST_ANSWER
    assert value == float(starts[first] + ends[last]) == brute_force(starts, ends)


def test_a_span_may_be_as_long_as_the_limit_and_no_longer() -> None:
    starts, ends = np.full(64, -10.0), np.full(64, -10.0)
    starts[2] = ends[2 + LONGEST_ANSWER - 1] = 5.0
    assert best_span(starts, ends) == (2, 2 + LONGEST_ANSWER - 1, 10.0)
    ends[2 + LONGEST_ANSWER - 1], ends[2 + LONGEST_ANSWER] = -10.0, 5.0
    assert best_span(starts, ends)[2] == -5.0


def test_an_end_before_its_start_is_no_span() -> None:
    assert best_span(np.array([0.0, 9.0]), np.array([9.0, 0.0])) == (0, 0, 9.0)


def test_of_equal_spans_the_first_is_taken() -> None:
    assert best_span(np.zeros(5), np.zeros(5)) == (0, 0, 0.0)


def test_one_token_is_a_span() -> None:
    assert best_span(np.array([1.5]), np.array([2.0])) == (0, 0, 3.5)


# ---- decoding --------------------------------------------------------------------------------------------------------


def decoded(
    evaluation: Evaluation,
    outputs: list[np.ndarray],
    task_format: Format = QUESTION_ANSWERING,
    labels: Sequence[str] | None = None,
) -> Predictions:
    labels = TASKS.get(task_format.sample_task).labels if labels is None else labels
    return torch_half(task_format).decode(evaluation.examples, evaluation.features, outputs, labels)


def answers(evaluation: Evaluation, predictions: Predictions) -> Sequence[Any]:
    return evaluation.examples[0].format.answers(evaluation.examples, predictions)


def pointing(feature: Feature, place: int, height: float) -> np.ndarray:
    """Logits (spots, 2) that point at one of a feature's spots."""
    logits = np.zeros((len(feature.spots), 2), np.float32)
    logits[place] = height / 2
    return logits


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_the_best_of_all_windows_is_the_answer(evaluation: Callable[..., Evaluation], winner: int) -> None:
    context = " ".join(str(number) for number in range(100, 140))
    built = evaluation(QUESTION_ANSWERING, [SpanExample("q", context, "which?", ("100",), (0,))], max_length=24)
    assert len(built.features) == 3
    outputs = [pointing(f, 4, 9.0 if i == winner else 5.0) for i, f in enumerate(built.features)]
    found = decoded(built, outputs)
    start, end = built.features[winner].places[4]
    assert found.values.tolist() == [[start, end, 9.0]]
    assert answers(built, found) == [context[start:end]]


def test_windows_are_kept_apart_by_question(
    evaluation: Callable[..., Evaluation], examples: dict[Format, list[Example]]
) -> None:
    built = evaluation(QUESTION_ANSWERING)
    outputs = [pointing(f, i, float(i)) for i, f in enumerate(built.features)]
    assert answers(built, decoded(built, outputs)) == ["It", "river", "the"]


def test_words_that_were_cut_off_are_predicted_as_o(evaluation: Callable[..., Evaluation]) -> None:
    rows = [TagExample(("word",) * 20, (1,) * 20), TagExample(("Oslo",), (5,))]
    built = evaluation(TOKEN_CLASSIFICATION, rows, max_length=16)
    outputs = [np.tile(np.eye(9, dtype=np.float32)[3], (len(f.spots), 1)) for f in built.features]
    found = decoded(built, outputs, TOKEN_CLASSIFICATION)
    assert found.lengths is not None
    assert found.lengths.tolist() == [20, 1]
    assert answers(built, found) == [[3] * 14 + [0] * 6, [3]]


@pytest.mark.parametrize("place", [0, 4, 8])
def test_words_that_were_cut_off_are_o_wherever_that_stands_among_the_labels(
    evaluation: Callable[..., Evaluation], place: int
) -> None:
    conll = TASKS.get("conll2003")
    labels = [label for label in conll.labels if label != "O"]
    labels.insert(place, "O")
    task = dataclasses.replace(conll, labels=tuple(labels))
    person, outside = labels.index("B-PER"), labels.index("O")
    rows = [TagExample(("Ada", *["word"] * 19), (person, *[outside] * 19))]
    built = evaluation(TOKEN_CLASSIFICATION, rows, max_length=16)
    # A tagger that is right wherever it sees.
    outputs = [np.eye(9, dtype=np.float32)[[rows[0].tags[word] for word in f.places]] for f in built.features]
    found = decoded(built, outputs, TOKEN_CLASSIFICATION, task.labels)
    assert answers(built, found) == [list(rows[0].tags)]
    assert score(task, answers(built, found), [row.reference for row in rows])[task.primary] == 1.0


def test_classes_are_the_highest_logits(evaluation: Callable[..., Evaluation]) -> None:
    built = evaluation(TEXT_CLASSIFICATION)
    outputs = [np.array([0.0, float(i % 2) - 0.5]) for i in range(5)]
    assert answers(built, decoded(built, outputs, TEXT_CLASSIFICATION)) == [0, 1, 0, 1, 0]


# ---- no answer -------------------------------------------------------------------------------------------------------


def read_of(feature: Feature, span: float, none: float) -> np.ndarray:
    """What is read of a feature: logits that sum to `span` at the fifth spot, and to `none` for no answer."""
    return np.concatenate([pointing(feature, 4, span), np.full((1, 2), none / 2, np.float32)])


@pytest.mark.parametrize(
    ("spans", "nones", "answered"),
    [
        ((9.0, 5.0, 5.0), (8.0, 20.0, 20.0), True),  # the lowest over the windows counts
        ((9.0, 5.0, 5.0), (9.0, 20.0, 20.0), True),  # the threshold is 0
        ((9.0, 5.0, 5.0), (10.0, 20.0, 9.5), False),
        ((1.0, 1.0, 1.0), (2.0, 3.0, 4.0), False),
    ],
)
def test_no_answer_is_given_where_it_scores_higher(
    evaluation: Callable[..., Evaluation], spans: tuple[float, ...], nones: tuple[float, ...], answered: bool
) -> None:
    context = " ".join(str(number) for number in range(100, 140))
    built = evaluation(QUESTION_ANSWERING, [SpanExample("q", context, "which?", (), ())], max_length=24)
    assert [feature.targets.tolist() for feature in built.features] == [[0, 0]] * 3
    outputs = [read_of(*one) for one in zip(built.features, spans, nones, strict=True)]
    found = decoded(built, outputs, labels=TASKS.get("squad_v2").labels)
    assert (answers(built, found) != [""]) is answered
    assert found.values.tolist()[0][2] == (max(spans) if answered else min(nones))
    plain = decoded(built, outputs)
    assert plain.values.tolist() == decoded(built, [rows[:-1] for rows in outputs]).values.tolist()
    assert answers(built, plain) != [""]


def test_the_logits_of_no_answer_are_those_of_the_sequences_own_token(evaluation: Callable[..., Evaluation]) -> None:
    built = evaluation(QUESTION_ANSWERING)
    for feature in built.features:
        logits = np.arange(2.0 * len(feature)).reshape(-1, 2)
        read = torch_half(QUESTION_ANSWERING).read(logits, feature)
        assert read.tolist() == [*logits[feature.spots].tolist(), logits[feature.row].tolist()]
