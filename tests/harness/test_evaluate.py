from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench_lib.core.record import Predictions
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.evaluate import DECODERS, LONGEST_ANSWER, answers, best_span, evaluate
from bench_lib.harness.tokenize import Feature
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, Example, Kind, SpanExample, TagExample
from bench_lib.tasks.scoring.metrics import score
from bench_lib.techniques.interface.context import Committee, Training
from bench_lib.techniques.toolkit.averaging import held

Featurise = Callable[..., list[Feature]]
Prepare = Callable[..., Training]
TASK_OF = {Kind.SEQUENCE: "sst2", Kind.TOKENS: "conll2003", Kind.SPAN: "squad"}
LOGITS = st.floats(-20, 20, width=32)


@pytest.fixture
def evaluation(featurise: Featurise, examples: dict[Kind, list[Example]]) -> Callable[..., Evaluation]:
    def build(kind: Kind, rows: Sequence[Example] | None = None, max_length: int = 32) -> Evaluation:
        chosen = tuple(examples[kind] if rows is None else rows)
        return Evaluation(chosen, tuple(featurise(kind, chosen, max_length)), 0.0)

    return build


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


def decoded(evaluation: Evaluation, outputs: list[np.ndarray], kind: Kind = Kind.SPAN) -> Predictions:
    return DECODERS[kind](evaluation, outputs, TASKS.get(TASK_OF[kind]).labels)


def pointing(feature: Feature, place: int, height: float) -> np.ndarray:
    """Logits (spots, 2) that point at one of a feature's spots."""
    logits = np.zeros((len(feature.spots), 2), np.float32)
    logits[place] = height / 2
    return logits


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_the_best_of_all_windows_is_the_answer(evaluation: Callable[..., Evaluation], winner: int) -> None:
    context = " ".join(str(number) for number in range(100, 140))
    built = evaluation(Kind.SPAN, [SpanExample("q", context, "which?", ("100",), (0,))], max_length=24)
    assert len(built.features) == 3
    outputs = [pointing(f, 4, 9.0 if i == winner else 5.0) for i, f in enumerate(built.features)]
    found = decoded(built, outputs)
    start, end = built.features[winner].places[4]
    assert found.values.tolist() == [[start, end, 9.0]]
    assert answers(built, found) == [context[start:end]]


def test_windows_are_kept_apart_by_question(
    evaluation: Callable[..., Evaluation], examples: dict[Kind, list[Example]]
) -> None:
    built = evaluation(Kind.SPAN)
    outputs = [pointing(f, i, float(i)) for i, f in enumerate(built.features)]
    assert answers(built, decoded(built, outputs)) == ["It", "river", "the"]


def test_words_that_were_cut_off_are_predicted_as_o(evaluation: Callable[..., Evaluation]) -> None:
    rows = [TagExample(("word",) * 20, (1,) * 20), TagExample(("Oslo",), (5,))]
    built = evaluation(Kind.TOKENS, rows, max_length=16)
    outputs = [np.tile(np.eye(9, dtype=np.float32)[3], (len(f.spots), 1)) for f in built.features]
    found = decoded(built, outputs, Kind.TOKENS)
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
    built = evaluation(Kind.TOKENS, rows, max_length=16)
    # A tagger that is right wherever it sees.
    outputs = [np.eye(9, dtype=np.float32)[[rows[0].tags[word] for word in f.places]] for f in built.features]
    found = DECODERS[Kind.TOKENS](built, outputs, task.labels)
    assert answers(built, found) == [list(rows[0].tags)]
    assert score(task, answers(built, found), [row.reference for row in rows])[task.primary] == 1.0


def test_classes_are_the_highest_logits(evaluation: Callable[..., Evaluation]) -> None:
    built = evaluation(Kind.SEQUENCE)
    outputs = [np.array([0.0, float(i % 2) - 0.5]) for i in range(5)]
    assert answers(built, decoded(built, outputs, Kind.SEQUENCE)) == [0, 1, 0, 1, 0]


# ---- a whole evaluation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_stored_predictions_score_as_they_did(
    prepare: Prepare, evaluation: Callable[..., Evaluation], kind: Kind
) -> None:
    task, built = TASKS.get(TASK_OF[kind]), evaluation(kind)
    scored = evaluate(prepare(kind), task, built, 0)
    assert tuple(scored.metrics) == task.metrics
    assert scored.predictions.values.dtype == np.float32
    rows = sum(len(e.words) for e in built.examples if isinstance(e, TagExample)) or len(built.examples)
    assert scored.predictions.values.shape == (rows, {"squad": 3}.get(task.name, len(task.labels)))
    references = [example.reference for example in built.examples]
    assert score(task, answers(built, scored.predictions), references) == scored.metrics


@pytest.mark.parametrize("kind", FORMATS)
def test_evaluation_is_without_dropout_and_leaves_the_model_as_it_was(
    prepare: Prepare, evaluation: Callable[..., Evaluation], kind: Kind
) -> None:
    training = prepare(kind, dropout=0.5)
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, other = (evaluate(training, TASKS.get(TASK_OF[kind]), evaluation(kind), 0) for _ in range(2))
    assert np.array_equal(one.predictions.values, other.predictions.values)
    assert torch.equal(torch.get_rng_state(), state)
    assert training.model.training
    assert all(torch.equal(before[name], p) for name, p in training.model.named_parameters())
    assert all(p.grad is None for p in training.model.parameters())


@pytest.mark.parametrize("kind", FORMATS)
def test_predictions_come_in_the_examples_order_whatever_the_batches(
    prepare: Prepare, evaluation: Callable[..., Evaluation], kind: Kind
) -> None:
    task, built = TASKS.get(TASK_OF[kind]), evaluation(kind)
    alone, together = (evaluate(prepare(kind, eval_batch_size=size), task, built, 0) for size in (1, 3))
    np.testing.assert_allclose(alone.predictions.values, together.predictions.values, rtol=1e-4, atol=1e-5)
    # The rows differ from one another, so that a wrong order would be seen.
    assert len(np.unique(alone.predictions.values[:, -1])) > 1


# ---- several states that predict as one ------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", FORMATS)
def test_each_member_predicts_with_its_own_weights_and_all_are_combined(
    evaluation: Callable[..., Evaluation], prepare: Prepare, kind: Kind, precision: str
) -> None:
    training, task, built = prepare(kind, precision=precision), TASKS.get(TASK_OF[kind]), evaluation(kind)
    parameters = list(training.model.parameters())
    others = [p.detach() * 3 for p in parameters]
    before = [p.detach().clone() for p in parameters]
    alone = evaluate(training, task, built, 0).predictions
    with held(parameters, others):
        other = evaluate(training, task, built, 0).predictions
    seen: list[Sequence[Predictions]] = []

    def combine(predictions: Sequence[Predictions]) -> Predictions:
        seen.append(predictions)
        return predictions[1]

    committee = Committee((nullcontext, lambda: held(parameters, others)), combine)
    with training.predicting_as(committee):
        found = [evaluate(training, task, built, 0) for _ in range(2)]
    assert not np.array_equal(alone.values, other.values)
    for members, result in zip(seen, found, strict=True):
        assert [np.array_equal(m.values, v.values) for m, v in zip(members, (alone, other), strict=True)] == [True] * 2
        assert np.array_equal(result.predictions.values, other.values)
    assert found[0].metrics == found[1].metrics
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
    assert training.committee is None


def test_a_committee_that_raises_is_undone(prepare: Prepare) -> None:
    training = prepare(Kind.SEQUENCE)
    with pytest.raises(KeyError), training.predicting_as(Committee((), lambda predictions: predictions[0])):
        raise KeyError
    assert training.committee is None
